"""Intents and what became of them, on their way into the journal and back."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeGuard

import msgspec
from msgspec.structs import replace

from cardd.base.errors import CarddError
from cardd.base.masks import mask_number
from cardd.base.reasons import Reason
from cardd.base.secret import Personal
from cardd.cards.account import Deed
from cardd.crypto.money import Amounts
from cardd.desk.account import Intent, Order, Settled
from cardd.desk.reading import Identity, Via
from cardd.journal.events import DeedRow, Json, Lost, NewEvent
from cardd.readers.insertion import Insertion
from cardd.wire.accounts import AccountMoved
from cardd.wire.cards import Kind

METHODS: Final[Mapping[Deed, str]] = {Deed.PURCHASE: "account.debit", Deed.LOAD: "account.load"}
DEBIT: Final = METHODS[Deed.PURCHASE]
_ENDED: Final[Mapping[Deed, str]] = {Deed.PURCHASE: "account.debited", Deed.LOAD: "account.loaded"}
IN_DOUBT: Final = "in_doubt"
_LOST: Final = MappingProxyType(
    {
        Lost.ERASED: (Reason.NOT_FOUND, "this request was carried out; what was sealed of it has been erased"),
        Lost.UNREADABLE: (
            Reason.JOURNAL_UNAVAILABLE,
            "this request is on record; what is sealed of it does not open with the key of today",
        ),
    }
)


class _Public(msgspec.Struct):
    """What everybody may see of a deed. Bytes are upper-case hexadecimal."""

    insertion: str
    reader: str
    time: str
    key_index: int
    sequence: int
    version: int
    cipher: int
    random: str
    terminal: str
    terminal_sequence: int
    outcome: str = IN_DOUBT
    tac: str | None = None
    mac: str | None = None
    tac_right: bool | None = None
    mac_right: bool | None = None
    by_proof: bool = False
    reason: str | None = None
    status_word: str | None = None


class _Personal(msgspec.Struct):
    """What is sealed: money and whose it is."""

    account: int
    self_paid: int
    pool: int
    balance: int
    identification_code: str | None
    number: str | None


def intended(client: str, request: str, insertion: Insertion, intent: Intent) -> tuple[NewEvent, DeedRow]:
    """Return the event and the open row of a deed that is about to be done."""
    order = intent.order
    public = _Public(
        insertion=insertion.id,
        reader=insertion.reader,
        time=order.time,
        key_index=order.key_index,
        sequence=intent.sequence,
        version=intent.version,
        cipher=intent.cipher,
        random=intent.random.hex().upper(),
        terminal=intent.terminal.hex(),
        terminal_sequence=intent.terminal_sequence,
    )
    number = intent.identity.number
    personal = _Personal(
        account=order.amounts.account,
        self_paid=order.amounts.self_paid,
        pool=order.amounts.pool,
        balance=intent.balance,
        identification_code=intent.identity.identification_code,
        number=None if number is None else number.disclose(),
    )
    data, sealed = msgspec.to_builtins(public), msgspec.to_builtins(personal)
    method = METHODS[order.deed]
    row = DeedRow(client, request, method, open=True, data=data, personal=sealed, untold=order.untold)
    return _event("account.intended", row), row


def ended(row: DeedRow, settled: Settled) -> tuple[NewEvent, DeedRow]:
    """Return the event and the row of a deed of which it is known what became of it."""
    certificate = settled.certificate
    told: dict[str, Json] = {
        "outcome": str(settled.outcome),
        "tac": None if certificate is None else certificate.tac.hex().upper(),
        "mac": None if certificate is None else certificate.mac.hex().upper(),
        "tac_right": settled.tac_right,
        "mac_right": settled.mac_right,
        "by_proof": settled.by_proof,
    }
    return _ended(row, told)


def refused(row: DeedRow, reason: str, status_word: str) -> tuple[NewEvent, DeedRow]:
    """Return the event and the row of a deed that the card refused with a word of its own: nothing was moved."""
    return _ended(row, {"outcome": "not_done", "reason": reason, "status_word": status_word})


def result_of(row: DeedRow) -> AccountMoved:
    """Return what the client is told, every time that it asks."""
    public, personal = _read(row)
    return AccountMoved(
        request=row.request,
        insertion=public.insertion,
        outcome=public.outcome,
        sequence=public.sequence,
        terminal=public.terminal,
        terminal_sequence=public.terminal_sequence,
        time=public.time,
        account=personal.account,
        self_paid=personal.self_paid,
        pool=personal.pool,
        balance_before=personal.balance,
        tac=public.tac,
        mac=public.mac,
        tac_right=public.tac_right,
        mac_right=public.mac_right,
        by_proof=public.by_proof,
        reason=public.reason,
        status_word=public.status_word,
    )


def intent_of(row: DeedRow) -> Intent:
    """Return the intent of a row, with as much of the card's identity as tells it from others."""
    public, personal = _read(row)
    deed = next(deed for deed, method in METHODS.items() if method == row.method)
    amounts = Amounts(personal.account, personal.self_paid, personal.pool)
    number = None if personal.number is None else Personal(personal.number, mask_number)
    return Intent(
        Order(deed, amounts, public.time, public.key_index),
        public.sequence,
        public.version,
        public.cipher,
        bytes.fromhex(public.random),
        personal.balance,
        bytes.fromhex(public.terminal),
        public.terminal_sequence,
        Identity(Kind.SOCIAL_SECURITY, Via.CONTACT, identification_code=personal.identification_code, number=number),
    )


def same_order(row: DeedRow, order: Order) -> bool:
    """Tell whether a row was made for the same deed and the same money; the time is the first one's.

    Raises CarddError for one whose personal data were lost, as `check_told`.
    """
    if row.method != METHODS[order.deed]:
        return False
    check_told(row)
    _, personal = _read(row)
    known = (personal.account, personal.self_paid, personal.pool)
    return known == (order.amounts.account, order.amounts.self_paid, order.amounts.pool)


def is_here(row: DeedRow | None) -> TypeGuard[DeedRow]:
    """Tell whether a row is there and is of an account: requests of other methods are kept beside these."""
    return row is not None and row.method in METHODS.values()


def check_told(row: DeedRow) -> None:
    """Raise CarddError, with what is known in the open, where the money that was moved cannot be told any more.

    NOT_FOUND where it was erased, JOURNAL_UNAVAILABLE where it does not open with the key of today. Either way the deed
    is not done again.
    """
    if row.personal_lost is None:
        return
    reason, detail = _LOST[row.personal_lost]
    public = msgspec.convert(row.data, _Public)
    raise CarddError(reason, detail, personal=str(row.personal_lost), outcome=public.outcome, sequence=public.sequence)


def _ended(row: DeedRow, told: Mapping[str, Json]) -> tuple[NewEvent, DeedRow]:
    closed = replace(row, open=False, data={**row.data, **told})
    deed = next(deed for deed, method in METHODS.items() if method == row.method)
    return _event(_ENDED[deed], closed), closed


def _event(kind: str, row: DeedRow) -> NewEvent:
    """Make an event: everybody sees that money was moved, and how it ended; whose and how much is sealed."""
    public, personal = _read(row)
    data: dict[str, Json] = {
        "client": row.client,
        "request": row.request,
        "method": row.method,
        "outcome": None if row.open else public.outcome,
        "sequence": public.sequence,
        "terminal": public.terminal,
        "terminal_sequence": public.terminal_sequence,
        "time": public.time,
        "number": None if personal.number is None else mask_number(personal.number),
        "amounts": None,
    }
    if not row.open:
        data |= {
            "tac": public.tac,
            "mac": public.mac,
            "tac_right": public.tac_right,
            "mac_right": public.mac_right,
            "by_proof": public.by_proof,
            "reason": public.reason,
        }
    amounts = {"account": personal.account, "self_paid": personal.self_paid, "pool": personal.pool}
    whole: dict[str, Json] = {"number": personal.number, "amounts": amounts}
    return NewEvent(kind, public.reader, data, whole, insertion=public.insertion)


def _read(row: DeedRow) -> tuple[_Public, _Personal]:
    """Read a row. Raises msgspec.ValidationError for one whose personal data were lost."""
    return msgspec.convert(row.data, _Public), msgspec.convert(row.personal, _Personal)
