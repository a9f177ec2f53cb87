"""What the reception records: one table from what readers tell to events of the journal."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from cardd.base.reasons import Reason
from cardd.desk.reading import Identity
from cardd.journal.events import Json, NewEvent
from cardd.readers.config import Role
from cardd.readers.facts import (
    CardInserted,
    CardRemoved,
    CardTrouble,
    Fact,
    ReaderAttached,
    ReaderDetached,
    ReaderUnavailable,
    ServiceCameUp,
    ServiceWentDown,
)
from cardd.readers.insertion import Insertion
from cardd.wire.cards import Kind

PCSC_SUBJECT: Final = "pcsc"
"""The subject of events about the service behind all readers."""

StationOf = Callable[[str], str]


def event_of(fact: Fact, station_of: StationOf) -> NewEvent:
    """Return the event for a fact. `station_of` names a reader's station, also where the fact does not."""
    return _EVENTS[type(fact)](fact, station_of)


def identified(insertion: Insertion, identity: Identity) -> NewEvent:
    """Return the event that says what a card is. `unproven` says why nobody could judge its proof."""
    data: dict[str, Json] = {
        "station": insertion.station,
        "kind": str(identity.kind),
        "generation": None if identity.generation is None else str(identity.generation),
        "authentic": identity.authentic,
        "unproven": None if identity.unproven is None else str(identity.unproven),
        "via": str(identity.via),
        "number": None if identity.number is None else identity.number.masked(),
    }
    personal: dict[str, Json] = {} if identity.number is None else {"number": identity.number.disclose()}
    return NewEvent("card.identified", insertion.reader, data, personal, insertion=insertion.id)


def rejected(reader: str, station: str, reason: Reason, insertion: str | None) -> NewEvent:
    """Return the event that says why a card cannot be used; one that does not answer is no insertion."""
    data: dict[str, Json] = {"station": station, "reason": str(reason), "text": _text(reason)}
    return NewEvent("card.rejected", reader, data, insertion=insertion)


def _text(code: str) -> Json:
    return {"code": str(code), "args": {}}


def _attached(fact: ReaderAttached, _: StationOf) -> NewEvent:
    data: dict[str, Json] = {"station": fact.station, "role": str(fact.role), "pcsc_name": fact.pcsc_name}
    return NewEvent("reader.attached", fact.reader, data)


def _detached(fact: ReaderDetached, _: StationOf) -> NewEvent:
    return NewEvent("reader.detached", fact.reader, {"station": fact.station})


def _unavailable(fact: ReaderUnavailable, station_of: StationOf) -> NewEvent:
    data: dict[str, Json] = {
        "station": station_of(fact.reader),
        "detail": fact.detail,
        "text": {"code": "reader_held", "args": {"programs": fact.programs}} if fact.programs else _text(fact.reason),
    }
    return NewEvent("reader.unavailable", fact.reader, data)


def _inserted(fact: CardInserted, _: StationOf) -> NewEvent:
    insertion = fact.insertion
    data: dict[str, Json] = {"station": insertion.station, "role": str(insertion.role), "at_start": insertion.at_start}
    if insertion.role is Role.SAM:
        data["kind"] = str(Kind.PSAM)
    return NewEvent("card.inserted", insertion.reader, data, insertion=insertion.id)


def _removed(fact: CardRemoved, _: StationOf) -> NewEvent:
    insertion = fact.insertion
    data: dict[str, Json] = {"station": insertion.station, "role": str(insertion.role), "cause": str(fact.cause)}
    return NewEvent("card.removed", insertion.reader, data, insertion=insertion.id)


def _trouble(fact: CardTrouble, station_of: StationOf) -> NewEvent:
    return rejected(fact.reader, station_of(fact.reader), fact.reason, None)


def _down(fact: ServiceWentDown, _: StationOf) -> NewEvent:
    text = _text(fact.text_code or fact.reason)
    data: dict[str, Json] = {"reason": str(fact.reason), "detail": fact.detail, "text": text}
    return NewEvent("pcsc.down", PCSC_SUBJECT, data)


def _up(_fact: ServiceCameUp, _: StationOf) -> NewEvent:
    return NewEvent("pcsc.up", PCSC_SUBJECT, {})


# each function takes the fact under whose type it stands, which a mapping cannot say
_EVENTS: Final[Mapping[type, Callable[..., NewEvent]]] = MappingProxyType(
    {
        ReaderAttached: _attached,
        ReaderDetached: _detached,
        ReaderUnavailable: _unavailable,
        CardInserted: _inserted,
        CardRemoved: _removed,
        CardTrouble: _trouble,
        ServiceWentDown: _down,
        ServiceCameUp: _up,
    }
)
