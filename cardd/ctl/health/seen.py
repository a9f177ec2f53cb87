"""What an examination has to go by: what the daemon says of itself, and its configuration, each where it can be had."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from cardd.base.structs import Struct
from cardd.wire.base import Json
from cardd.wire.cards import ReaderView
from cardd.wire.events import Event
from cardd.wire.session import HelloResult

if TYPE_CHECKING:
    from cardd.config import Config


class Daemon(Struct, frozen=True):
    """What a daemon says of itself; `status`, `readers` and `recent` (its last events) only to who may observe."""

    hello: HelloResult
    status: Mapping[str, object] | None = None
    readers: list[ReaderView] | None = None
    recent: Sequence[Event] = ()

    @property
    def newest(self) -> datetime | None:
        """Return the latest time of these events: the last one's, unless the clock was set back among them."""
        return max((datetime.fromisoformat(event.time) for event in self.recent), default=None)

    def part(self, name: str) -> Mapping[str, Json]:
        """Return a part of the status, empty where there is none."""
        part = (self.status or {}).get(name)
        return part if isinstance(part, dict) else {}


class Seen(Struct, frozen=True):
    """What could be had of a counter."""

    daemon: "Daemon | None" = None
    config: "Config | None" = None
