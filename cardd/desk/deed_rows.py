"""Deeds on their way into the journal and back: what is kept of an intent, and the events that tell of it.

Whose card it is, and the values to compare it with later, lie in the sealed part only.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from cardd.base.errors import CarddError, Fact
from cardd.base.masks import mask_number
from cardd.base.reasons import Reason
from cardd.base.secret import Personal
from cardd.base.structs import Hidden, Struct
from cardd.desk.prompts import Purpose
from cardd.desk.reading import Identity, Via
from cardd.journal.events import DeedRow, Json, NewEvent
from cardd.readers.insertion import Insertion
from cardd.wire.cards import Kind

if TYPE_CHECKING:
    _Json = Json
else:
    # msgspec reads annotations at run time and cannot follow a type that names itself
    _Json = object

UNKNOWN: Final = "unknown"
"""What is said to have been done where nobody can find out."""


class Deed(Struct, frozen=True):
    """One thing that a client asked for. Without a `request` only its events are kept.

    `about` is what else must be the same for it to be the same deed, and `mark` stands for what of that is a person's
    and is sealed.
    """

    client: str
    method: str
    request: str | None
    about: Json = None
    mark: Hidden[str | None] = None


class Intent(Struct, frozen=True):
    """What is about to be done to which card: `event` tells of it, with `shown`; `kept` is sealed for later."""

    event: str
    insertion: Insertion
    identity: Identity
    shown: Mapping[str, Json] = msgspec.field(default_factory=dict)
    kept: Hidden[Mapping[str, Json]] = msgspec.field(default_factory=dict)


class Told(Struct, frozen=True):
    """What is to be told of a deed when something is known of it: the event's type, the card, and further data."""

    event: str
    insertion: Insertion
    data: Mapping[str, Json] = msgspec.field(default_factory=dict)


class _Refused(msgspec.Struct):
    """The card's word on a deed, as it is kept."""

    reason: Reason
    detail: str
    facts: dict[str, Fact]


class _Public(msgspec.Struct):
    """What everybody may see of a deed. One that failed before anything was done is `free` to be asked for again."""

    about: _Json = None
    insertion: str = ""
    reader: str = ""
    station: str = ""
    shown: dict[str, _Json] = {}
    result: dict[str, _Json] | None = None
    error: _Refused | None = None
    free: bool = False


class _Sealed(msgspec.Struct):
    """Whose card it is, and what tells later what became of the deed."""

    mark: str | None = None
    identification_code: str | None = None
    number: str | None = None
    kept: dict[str, _Json] = {}


# -- rows


def intended(deed: Deed, intent: Intent) -> DeedRow:
    """Return the open row of a deed that is about to be done."""
    card, number = intent.insertion, intent.identity.number
    public = _Public(deed.about, card.id, card.reader, card.station, dict(intent.shown))
    code = intent.identity.identification_code
    sealed = _Sealed(deed.mark, code, None if number is None else number.disclose(), dict(intent.kept))
    return _stored(DeedRow(deed.client, deed.request or "", deed.method, open=True, data={}), public, sealed)


def unbegun(deed: Deed) -> DeedRow:
    """Return the row of a deed that came to its end without an intent."""
    row = DeedRow(deed.client, deed.request or "", deed.method, open=False, data={})
    return _stored(row, _Public(deed.about), _Sealed(deed.mark))


def done(row: DeedRow, result: Mapping[str, Json]) -> DeedRow:
    """Return the row with its result; what was kept to find out is forgotten."""
    return _ended(row, result=dict(result))


def refused(row: DeedRow, error: CarddError) -> DeedRow:
    """Return the row with the card's refusal."""
    return _ended(row, error=_Refused(error.reason, error.detail, dict(error.facts)))


def freed(row: DeedRow) -> DeedRow:
    """Return the row of a deed of which nothing was done, and which may be asked for again."""
    return _ended(row, free=True)


def given_up(row: DeedRow) -> DeedRow:
    """Return the row of a deed of which nobody will find out what became of it; whose card it was is kept."""
    return replace(row, open=False)


def result_of(row: DeedRow) -> Mapping[str, Json] | None:
    """Return what a deed came to; None where that is not known. Raises CarddError: the card's refusal."""
    public = _public(row)
    if public.error is not None:
        raise CarddError(public.error.reason, public.error.detail, retry_after_ms=None, **public.error.facts)
    return public.result


def is_free(row: DeedRow) -> bool:
    """Tell whether nothing was done, so that the deed may be begun again."""
    return _public(row).free


def is_of(row: DeedRow, deed: Deed) -> bool:
    """Tell whether a row was made for that deed. Where its sealed part is lost, what is public decides."""
    mark = _sealed(row).mark
    same_mark = mark is None or mark == deed.mark
    return row.method == deed.method and _public(row).about == deed.about and same_mark


def is_on(row: DeedRow, identity: Identity) -> bool:
    """Tell whether a row is about that very card. Of one whose sealed part is lost, nobody knows."""
    sealed = _sealed(row)
    if sealed.identification_code is None:
        return False
    number = None if sealed.number is None else Personal(sealed.number, mask_number)
    code = sealed.identification_code
    return Identity(Kind.SOCIAL_SECURITY, Via.CONTACT, identification_code=code, number=number).same_card(identity)


def kept(row: DeedRow) -> Mapping[str, Json]:
    """Return what was sealed to find out later what became of the deed."""
    return _sealed(row).kept


# -- events


def event(kind: str, row: DeedRow, data: Mapping[str, Json]) -> NewEvent:
    """Make an event of a deed as it was intended: who asked for it, on which card, and what else is to be told."""
    public = _public(row)
    return _event(kind, row, public.station, public.reader, public.insertion, data)


def told(row: DeedRow, what: Told) -> NewEvent:
    """Make an event of a deed as its card is now: it may have come back in another reader."""
    card = what.insertion
    return _event(what.event, row, card.station, card.reader, card.id, what.data)


def _event(kind: str, row: DeedRow, station: str, reader: str, insertion: str, further: Mapping[str, Json]) -> NewEvent:
    public, number = _public(row), _sealed(row).number
    data: dict[str, Json] = {
        "station": station,
        "client": row.client,
        "request": row.request or None,
        "method": row.method,
        "number": None if number is None else mask_number(number),
        **public.shown,
        **further,
    }
    return NewEvent(kind, reader, data, {} if number is None else {"number": number}, insertion=insertion)


def refusal(kind: str, row: DeedRow, error: CarddError) -> NewEvent:
    """Make the event that tells why a deed was not done."""
    data: dict[str, Json] = {"reason": str(error.reason), "text": {"code": str(error.reason), "args": {}}}
    if "tries_left" in error.facts:
        data["tries_left"] = error.facts["tries_left"]
    return event(kind, row, data)


def pin_refusal(row: DeedRow, error: CarddError) -> tuple[NewEvent, ...]:
    """Make the events of a PIN that the card did not take, and tell that it is locked where that is the reason."""
    told_so = refusal("pin.refused", row, error)
    if error.reason is not Reason.PIN_LOCKED:
        return (told_so,)
    text: Json = {"code": str(Reason.PIN_LOCKED), "args": {}}
    return told_so, event("pin.locked", row, {"purpose": str(Purpose.SOCIAL_PIN), "text": text})


def _ended(
    row: DeedRow, *, result: dict[str, Json] | None = None, error: _Refused | None = None, free: bool = False
) -> DeedRow:
    public, sealed = _public(row), _sealed(row)
    public.result, public.error, public.free = result, error, free
    # whose card it was is kept as long as anything of that person's is, so that both are found and erased together
    kept = _Sealed() if sealed.mark is None else _Sealed(sealed.mark, sealed.identification_code, sealed.number)
    return _stored(replace(row, open=False), public, kept)


def _stored(row: DeedRow, public: _Public, sealed: _Sealed) -> DeedRow:
    personal: dict[str, Json] = {key: value for key, value in msgspec.to_builtins(sealed).items() if value}
    return replace(row, data=msgspec.to_builtins(public), personal=personal)


def _public(row: DeedRow) -> _Public:
    return msgspec.convert(row.data, _Public)


def _sealed(row: DeedRow) -> _Sealed:
    return msgspec.convert(row.personal, _Sealed)


def names(files: Mapping[str, Sequence[str]]) -> Json:
    """Return files and their items as they are told."""
    return {file: [*items] for file, items in files.items()}
