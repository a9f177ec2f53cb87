"""What the readers told and the journal could not take, as on a full disk: kept, and recorded once there is room.

Nobody is left with a wrong picture then. What is recorded late says in `happened` when it was; of a card that came and
went meanwhile nothing may be left where there was too much, but what is in now, and what is no longer, is always told.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

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
    """An event that is to be recorded later; `then` is done once it is on record."""

    event: NewEvent
    then: Callable[[], None]


class Untold:
    """What the journal has not got, in the order in which it happened. Loop thread only."""

    def __init__(self) -> None:
        self._late: list[Late] = []

    def __len__(self) -> int:
        return len(self._late)

    def keep(self, late: Iterable[Late]) -> None:
        """Keep what could not be recorded, behind what is kept already."""
        self._late += late
        if len(self._late) > MOST:
            self._condense()

    def take(self) -> list[Late]:
        """Give away all of it, to be recorded now."""
        due, self._late = self._late, []
        return due

    def _condense(self) -> None:
        """Drop cards that came and went unseen, and all but the newest of each family."""
        seen = {
            kind: {late.event.insertion for late in self._late if late.event.type == kind}
            for kind in (_INSERTED, _REMOVED)
        }
        passed = (seen[_INSERTED] & seen[_REMOVED]) - {None}
        newest = {_family(late.event): late for late in self._late}
        self._late = [
            late
            for late in self._late
            if (late is newest[_family(late.event)] if late.event.insertion is None else True)
            and late.event.insertion not in passed
        ]


def _family(event: NewEvent) -> tuple[str, str]:
    return event.subject, _FAMILIES.get(event.type, event.type)
