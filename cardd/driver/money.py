"""The medical account: a bill paid from the card, and the bills that the card keeps."""

import secrets
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.cards.account import Deed
from cardd.crypto.block import Algorithm
from cardd.crypto.money import PURCHASE, Amounts
from cardd.desk import account, hsm
from cardd.desk.account import PurchaseBegun
from cardd.driver.amounts import AmountRule
from cardd.driver.arguments import CardInfo, Order, PayInfo
from cardd.driver.calls import METHOD, Job, Told, line
from cardd.driver.holding import go_on, held
from cardd.driver.pending import DebitPending
from cardd.driver.reading import terminal_number
from cardd.iso7816.channel import Channel
from cardd.keys.money import Signature
from cardd.readers.insertion import Insertion
from cardd.rules.hsm import hsm_address
from cardd.rules.keys import KeyName
from cardd.rules.values import SEPARATOR
from cardd.wire.accounts import AccountDebitParams, AccountMoved, AccountRecord, AccountRecordsParams

_KEY_INDEX: Final = 1
_WRONG_MAC: Final = "9302"
_FEN: Final = 100


def amounts_of(rule: AmountRule, bill: PayInfo) -> Amounts:
    """Return the card's three amounts of a bill.

    Raises CarddError(INVALID) for one of which more is settled than its total, where the rest has a place on the card.
    """
    if rule.takes_rest and bill.settled > bill.total:
        raise CarddError(Reason.INVALID, "account and pool pay more than the bill", path="$.args")
    return rule.on_card(bill.total, bill.settled)


async def debit(job: Job, order: Order, info: CardInfo, bill: PayInfo) -> Told:
    """Have the card pay a bill, once for each request, and return what it certifies.

    Raises CarddError as `AccountDesk.debit` does; the reason where the card did not do it or nobody knows yet;
    STATUS_WORD 9302 where what the card gave for it is wrong.
    """
    inside = await job.expect(order, info)
    amounts = amounts_of(job.tools.amounts, bill)
    params = AccountDebitParams(
        insertion=inside.insertion.id,
        request=job.params.request or secrets.token_hex(16),
        account=amounts.account,
        self_paid=amounts.self_paid,
        pool=amounts.pool,
        key_index=_KEY_INDEX,
    )
    moved = await job.tools.accounts.debit(params, client=job.client, time=bill.time)
    _check(moved)
    told = _certified(moved, inside.expected.algorithm or Algorithm.DES, amounts)
    return Told(told, ("debit.amounts", "debit.tac"), inside.insertion)


async def debit_1(job: Job, order: Order, info: CardInfo, bill: PayInfo) -> Told:
    """Begin to pay a bill, and write what a machine has to sign. Raises CarddError as `account.begin_debit` does."""
    inside = await job.expect(order, info)
    tools = job.tools
    amounts = amounts_of(tools.amounts, bill)
    pin = await tools.at.pin_of(inside, METHOD, job.params.request)
    wanted, deadline = account.Order(Deed.PURCHASE, amounts, bill.time, _KEY_INDEX), tools.at.deadline()

    def operation(channel: Channel, card: Insertion) -> PurchaseBegun:
        terminal = bytes.fromhex(terminal_number(tools.money, inside.expected, card, deadline))
        return account.begin_debit(channel, card, inside.expected, wanted, terminal, pin)

    async with held(job, inside.chosen) as kept:
        begun = await job.run(kept, operation)
        started = begun.started
        out = hsm.debit_step1(
            begun.identity.algorithm or Algorithm.DES,
            _KEY_INDEX,
            started.random,
            started.sequence,
            wanted.amounts,
            begun.terminal,
            bytes.fromhex(bill.time),
        )
    return Told(out, ("debit.amounts",), kept.insertion, DebitPending(kept, begun))


async def debit_2(job: Job, pending: DebitPending, key: str) -> Told:
    """Have the card pay with what the machine has signed; MAC2 stands in front, which is judged there.

    Raises CarddError as `debit` does.
    """
    signed, begun, kept = hsm.parse_debit_answer(key), pending.begun, pending.chosen
    # whether it is the card that was asked, before anything is on record
    await go_on(job, pending, lambda _channel, _inside: None)
    moved = await job.tools.accounts.finish(
        kept,
        begun,
        signed.time,
        Signature(signed.terminal_sequence, signed.mac1),
        request=job.params.request or secrets.token_hex(16),
        client=job.client,
    )
    _check(moved)
    told = _certified(moved, begun.identity.algorithm or Algorithm.DES, begun.order.amounts)
    return Told(line([moved.mac or ""]) + told, ("debit.amounts", "debit.tac"), kept.insertion)


def _certified(moved: AccountMoved, algorithm: Algorithm, amounts: Amounts) -> str:
    return line(
        (
            f"{int(algorithm):02d}",
            f"{hsm_address(KeyName.DPK, _KEY_INDEX) or 0:04X}",
            last_two(amounts),
            PURCHASE.decode(),
            moved.terminal,
            f"{moved.terminal_sequence:08X}",
            moved.time,
            moved.tac or "",
        )
    )


def last_two(amounts: Amounts) -> str:
    """Return the two amounts that the driver knows of, 16 hexadecimal digits."""
    return f"{amounts.self_paid:08X}{amounts.pool:08X}"


def _check(moved: AccountMoved) -> None:
    if moved.outcome == "unproven":
        raise CarddError(Reason.STATUS_WORD, "what the card gave for the money is wrong", status_word=_WRONG_MAC)
    if moved.outcome != "done":
        reason = Reason(moved.reason) if moved.reason else Reason.TIMEOUT
        # what a card may have against a bill at that point is its signature
        word = {"status_word": _WRONG_MAC} if reason is Reason.STATUS_WORD else {}
        raise CarddError(reason, f"the debit is {moved.outcome}", retry_after_ms=None, **word)


async def records(job: Job, order: Order) -> Told:
    """Read the bills that the card keeps, the newest first. Raises CarddError as `AccountDesk.records` does."""
    inside = await job.look(order)
    found = await job.tools.accounts.records(AccountRecordsParams(insertion=inside.insertion.id))
    bills = [record for record in found.records if record.type == PURCHASE.decode()]
    fields = tuple(f"records.DF04EF08.{number}" for number in range(1, len(bills) + 1))
    return Told(line(_record(job.tools.amounts, bill) for bill in bills), fields, inside.insertion)


def _record(rule: AmountRule, record: AccountRecord) -> str:
    texts = (
        *(text if isinstance(text, str) else "" for text in (record.sequence, record.terminal, record.time)),
        *(_yuan(amount) for amount in rule.of_record(record.account, record.self_paid, record.pool)),
    )
    return "".join(f"{text}{SEPARATOR}" for text in texts)


def _yuan(amount: int | None) -> str:
    return "" if amount is None else f"{amount // _FEN}.{amount % _FEN:02d}"
