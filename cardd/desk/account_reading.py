"""What a card says of its medical account: sums, records, and whether money was moved (LD/T 32.7 14).

Where a money command had no answer, only the card knows, and it is asked: a proof means done, 9406 not done.
"""

from contextlib import suppress
from typing import Final

from msgspec.structs import replace

from cardd.base.secret import Secret
from cardd.base.structs import Struct
from cardd.cards.account import RECORDS, Account, Certificate, Deed, Sum
from cardd.desk.account import (
    Intent,
    Outcome,
    Services,
    Settled,
    card_keys,
    judge_settled,
    judged,
    select,
    social_card,
)
from cardd.desk.pin_block import pin_block
from cardd.desk.reading import CardValue, Identity
from cardd.desk.refusals import refusals
from cardd.desk.social import SocialCard, prove
from cardd.desk.values import typed
from cardd.desk.view import whole_value
from cardd.iso7816.channel import Channel
from cardd.iso7816.status import SW, StatusError
from cardd.readers.insertion import Insertion
from cardd.rules.content import Fields, read_fields
from cardd.wire.accounts import AccountRecord

_LAST_SEQUENCE: Final = 0xFFFF


class Balances(Struct, frozen=True):
    """The account as it stands: balance and yearly sums in fen, the payment year and the day on which it begins."""

    account: int
    self_paid: int
    pool: int
    year: str | None
    starting_day: str | None

    __repr__ = object.__repr__


def read_balances(
    channel: Channel, insertion: Insertion, expected: Identity | None, pin: Secret | None = None
) -> Balances:
    """Ask for the three sums and the starting day; no right is needed for that (LD/T 32.5, GET BALANCE).

    Some cards want the PIN all the same. `pin` is shown to those only that have refused without it.

    Raises CarddError: CARD_DATA_DIFFERS; FILE_ABSENT for a card without the account's application, ACCOUNT_NOT_IN_USE
    for one that has it and refuses what concerns the account, as cards for use online only do;
    ACCESS_DENIED for one that wants the PIN where none was given; PIN_*.
    """
    with refusals():
        card, account = _open_account(channel, insertion, expected)
        try:
            balance = account.balance(Sum.ACCOUNT)
        except StatusError as error:
            if pin is None or error.sw != SW.SECURITY_STATUS_NOT_SATISFIED:
                raise
            card.environment.verify(pin_block(pin))
            account = select(channel)
            balance = account.balance(Sum.ACCOUNT)
        self_paid, pool = account.balance(Sum.SELF_PAID), account.balance(Sum.POOL)
        day = None
        with suppress(StatusError):
            day = account.starting_day()
    return Balances(balance.amount, self_paid.amount, pool.amount, self_paid.year, day)


def ask_proof(
    channel: Channel,
    insertion: Insertion,
    services: Services,
    intent: Intent,
    deadline: float,
    pin: Secret | None = None,
) -> Settled:
    """Have the card say whether an intent was carried out (LD/T 32.7 14, GET TRANSACTION PROOF).

    The card must be the one of the intent; by its identification code, card number, and answer to reset no other is.
    It proves itself on the way, which also tells how its keys are made.

    Raises CarddError: CARD_DATA_DIFFERS; ACCESS_DENIED for a card that wants the PIN before; STATUS_WORD.
    """
    with refusals():
        card = social_card(channel, insertion, intent.identity)
        prove(card, services.keys, deadline)
        if pin is not None:
            card.environment.verify(pin_block(pin))
        account = select(channel)
        certificate = account.proof(intent.order.deed, intent.sequence)
        if certificate is not None:
            return _proven(card, services, intent, certificate, deadline)
        # some cards note a transaction under the number behind the one that they told
        sequence = intent.sequence + 1 & _LAST_SEQUENCE
        later = account.proof(intent.order.deed, sequence)
        settled = None if later is None else _proven(card, services, intent, later, deadline)
        if settled is None or settled.outcome is Outcome.UNPROVEN:
            # under that number lies another transaction
            return Settled(intent, Outcome.NOT_DONE, by_proof=True)
        if settled.tac_right or settled.mac_right:
            return settled
        return replace(settled, outcome=_by_record(account, intent, sequence))


def _by_record(account: Account, intent: Intent, sequence: int) -> Outcome:
    """Tell by EF08 whose proof lies under a number, where nobody here can judge it.

    The record of that number names terminal, time and amount. It is another's if one of them differs; without it, or
    without the right to read it, nothing is known.
    """
    try:
        for record in account.records():
            if int.from_bytes(record[:2], "big") == sequence and record[2:3] == bytes((intent.order.deed,)):
                amount = intent.order.amounts.account.to_bytes(4, "big")
                same = record[3:20] == intent.terminal + intent.time + amount
                return Outcome.DONE if same else Outcome.NOT_DONE
    except StatusError:
        pass
    return Outcome.UNPROVEN


def _proven(card: SocialCard, services: Services, intent: Intent, certificate: Certificate, deadline: float) -> Settled:
    """Judge what the card gives for an intent when it is asked afterwards."""
    if services.money is None:
        return Settled(intent, Outcome.DONE, certificate, by_proof=True)
    money, keys = services.money, card_keys(card)
    mac_right = None
    if intent.order.deed is Deed.PURCHASE:
        mac_right = judged(
            lambda: money.purchase_mac2_right(
                keys, intent.purchase, intent.terminal_sequence, certificate.mac, deadline=deadline
            )
        )
    return judge_settled(money, keys, intent, certificate, deadline, mac_right=mac_right, by_proof=True)


def read_proof(
    channel: Channel, insertion: Insertion, expected: Identity | None, deed: Deed, sequence: int
) -> Certificate | None:
    """Ask for the proof of a transaction by its sequence alone; None is the card's 9406. Raises as `ask_proof`."""
    with refusals():
        _, account = _open_account(channel, insertion, expected)
        return account.proof(deed, sequence)


def read_debit_records(
    channel: Channel, insertion: Insertion, expected: Identity | None, pin: Secret | None
) -> tuple[Fields, ...]:
    """Read EF08, the newest record first. Raises CarddError: PIN_*, ACCESS_DENIED without the PIN where one is set."""
    with refusals():
        card, account = _open_account(channel, insertion, expected)
        if pin is not None:
            card.environment.verify(pin_block(pin))
            account = select(channel)
        return tuple(read_fields(RECORDS, record) for record in account.records())


def _open_account(channel: Channel, insertion: Insertion, expected: Identity | None) -> tuple[SocialCard, Account]:
    card = social_card(channel, insertion, expected)
    return card, select(channel)


def told_record(fields: Fields) -> AccountRecord:
    """Return a record as clients get it: of what does not follow its rule the bytes, and why."""
    found = {value.item.key: value for value in fields.values}

    def text(key: str) -> CardValue:
        return typed(found[key], None) if key in found else None

    def fen(key: str) -> int | None:
        value = found.get(key)
        # of a record that ends too early nothing is made up
        return None if value is None or len(value.raw) < value.item.length else int.from_bytes(value.raw, "big")

    return AccountRecord(
        sequence=whole_value(text("sequence")),
        type=whole_value(text("type")),
        terminal=whole_value(text("terminal")),
        time=whole_value(text("time")),
        account=fen("account_amount"),
        self_paid=fen("self_paid_amount"),
        pool=fen("pool_amount"),
        error=fields.fault,
    )
