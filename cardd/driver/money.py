"""The medical account: a bill paid from the card, and the bills that the card keeps."""

import contextlib
import secrets
from collections.abc import Iterator
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.cards.account import Deed
from cardd.crypto.block import Algorithm
from cardd.crypto.money import PURCHASE, Amounts
from cardd.desk import account, hsm
from cardd.desk.account import PurchaseBegun
from cardd.desk.at_card import Inside
from cardd.desk.reading import Identity
from cardd.driver.amounts import AmountRule
from cardd.driver.arguments import CardInfo, Order, PayInfo
from cardd.driver.calls import METHOD, Job, Told, line
from cardd.driver.debits import IN_DOUBT
from cardd.driver.holding import go_on, held
from cardd.driver.numbers import debited_before
from cardd.driver.pending import DebitPending
from cardd.driver.reading import terminal_number
from cardd.iso7816.channel import Channel
from cardd.keys.money import Signature
from cardd.readers.insertion import Insertion
from cardd.rules.hsm import hsm_address
from cardd.rules.keys import KeyName
from cardd.rules.values import SEPARATOR
from cardd.wire.accounts import AccountChoice, AccountDebitParams, AccountMoved, AccountRecord, AccountRecordsParams
from cardd.wire.base import Unparsed, Value

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
    """Have the card pay a bill once, and return what it certifies.

    Before that the card says what became of debits whose end the caller was not told; one of the same amounts that was
    done is this bill.

    Raises CarddError as `AccountDesk.debit` does; the reason where the card did not do it or nobody knows yet;
    STATUS_WORD 9302 where what the card gave for it is wrong.
    """
    amounts = amounts_of(job.tools.amounts, bill)
    inside = await job.expect(order, info)
    moved = await _former(job, inside, amounts) or await _paid(job, inside, amounts, bill.time)
    _tell(job, inside.expected, moved)
    _check(moved)
    told = _certified(moved, inside.expected.algorithm or Algorithm.DES, amounts)
    return Told(told, ("debit.amounts", "debit.tac"), inside.insertion)


async def _former(job: Job, inside: Inside, amounts: Amounts) -> AccountMoved | None:
    choice = AccountChoice(insertion=inside.insertion.id, wait_s=job.patience)
    return await job.tools.debits.former(job.client, inside.expected, amounts, choice, job.params.request)


async def _paid(job: Job, inside: Inside, amounts: Amounts, time: str) -> AccountMoved:
    """Have the card pay a bill, unless that was done."""
    debits, card = job.tools.debits, inside.expected
    request, known = await debits.next_of(job.client, card, amounts, time)
    if known is not None:
        return known
    params = AccountDebitParams(
        insertion=inside.insertion.id,
        wait_s=job.patience,
        request=request,
        account=amounts.account,
        self_paid=amounts.self_paid,
        pool=amounts.pool,
        key_index=_KEY_INDEX,
    )
    with _noted(job, card, request, amounts):
        return await job.tools.accounts.debit(
            params, client=job.client, time=time, asked=job.params.request, untold=True
        )


@contextlib.contextmanager
def _noted(job: Job, card: Identity, request: str, amounts: Amounts) -> Iterator[None]:
    """Note a debit as one whose end the caller has not been told, and forget it where nothing was begun."""
    debits = job.tools.debits
    debits.begin(job.client, card, request, amounts)
    try:
        yield
    except CarddError:
        if not debits.is_open(job.client, request):
            debits.told(job.client, card, request)
        raise


def _tell(job: Job, card: Identity, moved: AccountMoved) -> None:
    """Forget a debit whose end is known and told; whoever has gone was told nothing."""
    if moved.outcome != IN_DOUBT and job.heard():
        job.tools.debits.told(job.client, card, moved.request)


async def debit_1(job: Job, order: Order, info: CardInfo, bill: PayInfo) -> Told:
    """Begin to pay a bill, and write what a machine has to sign.

    Raises CarddError as `account.begin_debit` does; DriverFault, once, where a debit of the same amounts whose end the
    caller was not told was done: nothing is begun then.
    """
    tools = job.tools
    amounts = amounts_of(tools.amounts, bill)
    inside = await job.expect(order, info)
    former = await _former(job, inside, amounts)
    if former is not None:
        _tell(job, inside.expected, former)
        raise debited_before("the debit before this one was done")
    # before the holder is asked for anything
    await job.run(inside.chosen, lambda channel, card: account.find_on(channel, card, inside.expected))
    pin = await tools.at.pin_of(inside, METHOD, job.params.request)
    wanted, deadline = account.Order(Deed.PURCHASE, amounts, bill.time, _KEY_INDEX, untold=True), tools.at.deadline()

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
    request, signature = f"iDoDebit {secrets.token_hex(16)}", Signature(signed.terminal_sequence, signed.mac1)
    with _noted(job, begun.identity, request, begun.order.amounts):
        moved = await job.tools.accounts.finish(kept, begun, signed.time, signature, request=request, client=job.client)
    _tell(job, begun.identity, moved)
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
        word = {} if moved.status_word is None else {"status_word": moved.status_word}
        raise CarddError(reason, f"the debit is {moved.outcome}", retry_after_ms=None, **word)


async def records(job: Job, order: Order) -> Told:
    """Read the bills that the card keeps, the newest first. Raises CarddError as `AccountDesk.records` does."""
    inside = await job.look(order)
    params = AccountRecordsParams(insertion=inside.insertion.id, wait_s=job.patience)
    found = await job.tools.accounts.records(params, job.params.request)
    bills = [record for record in found.records if record.type == PURCHASE.decode()]
    fields = tuple(f"records.DF04EF08.{number}" for number in range(1, len(bills) + 1))
    return Told(line(_record(job.tools.amounts, bill) for bill in bills), fields, inside.insertion)


def _record(rule: AmountRule, record: AccountRecord) -> str:
    texts = (
        *map(_as_stored, (record.sequence, record.terminal, record.time)),
        *(_yuan(amount) for amount in rule.of_record(record.account, record.self_paid, record.pool)),
    )
    return "".join(f"{text}{SEPARATOR}" for text in texts)


def _as_stored(value: Value) -> str:
    """Return a value's text; of what does not follow its rule the digits that are on the card."""
    return value.raw if isinstance(value, Unparsed) else value or ""


def _yuan(amount: int | None) -> str:
    return "" if amount is None else f"{amount // _FEN}.{amount % _FEN:02d}"
