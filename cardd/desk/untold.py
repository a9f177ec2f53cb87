"""What the readers told and the journal could not take, as on a full disk: kept, and recorded once there is room.

Nobody is left with a wrong picture then. What is recorded late says in `happened` when it was; of a card that came and
went meanwhile nothing may be left where there was too much, but what is in now, and what is no longer, is always told.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace

from cardd.base.structs import Struct
from cardd.journal.events import NewEvent

MOST: Final = 200
"""Of more than so many only what makes a difference now is kept."""

_INSERTED: Final = "card.inserted"
_REMOVED: Final = "card.removed"

_FAMILIES: Final[Mapping[str, str]] = MappingProxyType(
    {"pcsc.down": "pcsc", "pcsc.up": "pcsc", "reader.attached": "reader", "reader.detached": "reader"}
)
"""Events of which the newest of a subject says all there is; any other stands for itself."""


class Late(Struct, frozen=True):
    """An event that is to be recorded later, by its number in the order in which things happened."""

    number: int
    event: NewEvent


class Untold:
    """The order of what happened, and what of it the journal has not got. Loop thread only."""

    def __init__(self) -> None:
        self._number = 0
        self._late: list[Late] = []
        self._recorded: dict[tuple[str, str], int] = {}
        """The newest that was recorded, by subject and family."""

    def __len__(self) -> int:
        return len(self._late)

    def number(self) -> int:
        """Give the next thing that happens its number."""
        self._number += 1
        return self._number

    def keep(self, number: int, event: NewEvent, happened: str) -> None:
        """Keep what could not be recorded."""
        self._late.append(Late(number, replace(event, data={**event.data, "happened": happened})))
        self._late.sort(key=lambda late: late.number)
        if len(self._late) > MOST:
            self._condense()

    def recorded(self, number: int, event: NewEvent) -> None:
        """Take note that something is on record."""
        key = _family(event)
        self._recorded[key] = max(number, self._recorded.get(key, 0))

    def due(self, inside: Mapping[str, NewEvent]) -> list[Late]:
        """Return what is to be recorded now. `inside` tells the card that is in, by its reader: what says that it is.

        What later events have made untrue is dropped: those could be recorded before it.
        """
        present = {event.insertion for event in inside.values()}
        removed = {late.event.insertion for late in self._late if late.event.type == _REMOVED}
        known = present | removed
        self._late = [late for late in self._late if self._holds(late, known)]
        told = {late.event.insertion for late in self._late if late.event.type == _INSERTED}
        # whoever looks at readers, not at insertions, would take it for empty
        emptied = {late.event.subject for late in self._late if late.event.type == _REMOVED}
        again = [event for reader, event in inside.items() if reader in emptied and event.insertion not in told]
        return [*self._late, *(Late(0, event) for event in again)]

    def done(self, due: Sequence[Late]) -> None:
        """Forget what was recorded."""
        for late in due:
            self.recorded(late.number, late.event)
        numbers = {late.number for late in due}
        self._late = [late for late in self._late if late.number not in numbers]

    def _holds(self, late: Late, known: set[str | None]) -> bool:
        if late.event.insertion is not None:
            return late.event.insertion in known
        return late.number > self._recorded.get(_family(late.event), 0)

    def _condense(self) -> None:
        """Drop cards that came and went unseen, and all but the newest of each family."""
        seen = {
            kind: {late.event.insertion for late in self._late if late.event.type == kind}
            for kind in (_INSERTED, _REMOVED)
        }
        passed = (seen[_INSERTED] & seen[_REMOVED]) - {None}
        newest = {_family(late.event): late.number for late in self._late}
        self._late = [
            late
            for late in self._late
            if (late.number == newest[_family(late.event)] if late.event.insertion is None else True)
            and late.event.insertion not in passed
        ]


def _family(event: NewEvent) -> tuple[str, str]:
    return event.subject, _FAMILIES.get(event.type, event.type)
