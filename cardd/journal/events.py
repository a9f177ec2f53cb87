"""What goes into the journal and what comes out of it."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from cardd.base.structs import Hidden, Struct
from cardd.journal.reserve import Space

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]


class NewEvent(Struct, frozen=True):
    """Something that has just happened.

    `type` is the short name (`card.inserted`), `subject` a reader or a station. `data` holds codes and masked values
    only; sentences stand in it as `"text": {"code": …, "args": {…}}`. `personal` holds the whole values under the same
    keys as their masked forms, and is sealed before it is stored.
    """

    type: str
    subject: str
    data: Mapping[str, Json]
    personal: Hidden[Mapping[str, Json]] = msgspec.field(default_factory=dict)
    insertion: str | None = None
    correlation: str | None = None


class StoredEvent(Struct, frozen=True):
    """An event that is durable.

    `time` is RFC 3339 with microseconds in UTC, the moment of `record`; order is `sequence`, never `time`. `data` is
    JSON. `sealed` is None where there was nothing personal, and empty where it was erased.
    """

    sequence: int
    id: str
    type: str
    time: str
    subject: str
    insertion: str | None
    correlation: str | None
    data: bytes
    sealed: Hidden[bytes | None]


class Lost(StrEnum):
    """Why what was sealed cannot be told: it was erased, or it does not open with the key of today."""

    ERASED = "erased"
    UNREADABLE = "unreadable"


def why_lost(sealed: bytes) -> Lost:
    """Tell why sealed bytes did not open: erased ones are empty."""
    return Lost.UNREADABLE if sealed else Lost.ERASED


class ActivationRow(Struct, frozen=True):
    """One activation as it stands after a transition. `personal` is sealed when it is stored.

    `client` and `request` are who began it and by which request; without both it is not found by them.
    `personal_lost` is set by reading alone: why what was sealed is not there.
    """

    id: str
    station: str
    route: str
    state: str
    open: bool
    data: Mapping[str, Json]
    personal: Hidden[Mapping[str, Json]] = msgspec.field(default_factory=dict)
    personal_lost: Lost | None = None
    client: str | None = None
    request: str | None = None


class DeedRow(Struct, frozen=True):
    """Something that a client asked to be done once, as it stands: the same client's same `request` is the same deed.

    `open`: what became of it is not known yet. `untold`: somebody has still to be told what became of it
    (`Journal.told`). `personal` is sealed when it is stored; `personal_lost` as with activations.
    """

    client: str
    request: str
    method: str
    open: bool
    data: Mapping[str, Json]
    personal: Hidden[Mapping[str, Json]] = msgspec.field(default_factory=dict)
    personal_lost: Lost | None = None
    untold: bool = False


class Statistics(Struct, frozen=True):
    """How the journal stands: last sequence, bytes on disk, activations that have not ended, how much room there is."""

    last: int
    bytes: int
    open_activations: int
    space: Space = Space.AMPLE
