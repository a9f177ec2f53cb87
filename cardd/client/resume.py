"""What both watches share: where a subscription stands, and how a lost connection is made again."""

from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from cardd.base.structs import Struct
from cardd.client.errors import ExpelledError, UnreachableError
from cardd.client.messages import Arrival
from cardd.wire.events import EventsSubscribeParams, EventsSubscribeResult

_REMEMBERED: Final = 4096
_FACTOR: Final = 2
_PASSING: Final = frozenset({"SLOW_CONSUMER", "BUSY"})
"""Why a daemon sends a client away that may come back."""


def _say_nothing(_: Exception) -> None:
    pass


class Reconnect(Struct, frozen=True):
    """How a lost connection is made again: after `first_s`, then twice as long each time, up to `most_s`.

    `patience_s`: after so long without a connection the last error is raised; None: never. `lost` is called once for
    each connection that was lost, with the error that said so.
    """

    first_s: float = 0.05
    most_s: float = 2.0
    patience_s: float | None = None
    lost: Callable[[Exception], None] = _say_nothing


def is_passing(error: Exception) -> bool:
    """Tell whether an error ended a connection in a way that another one may mend."""
    if isinstance(error, ExpelledError):
        return error.reason in _PASSING
    return isinstance(error, UnreachableError | TimeoutError)


class Attempts:
    """Counts the pauses between attempts. Times are seconds of one monotonic clock.

    A connection that does not live for `most_s` does not begin them anew: a daemon that dies at once again and again is
    not asked twenty times a second.
    """

    def __init__(self, how: Reconnect) -> None:
        self._how = how
        self._pause_s = how.first_s
        self._connected_at: float | None = None
        self._lost_at: float | None = None

    def connected(self, now: float) -> None:
        """Note that there is a connection."""
        self._connected_at, self._lost_at = now, None

    def failed(self, error: Exception, now: float) -> None:
        """Note that the connection was lost, or could not be made. Raises that error when patience is at its end."""
        if self._lost_at is None:
            self._begin(now)
            self._how.lost(error)
        elif self._how.patience_s is not None and now - self._lost_at >= self._how.patience_s:
            raise error

    def pause_s(self) -> float:
        """Return how long to wait before the next attempt."""
        pause, self._pause_s = self._pause_s, min(self._pause_s * _FACTOR, self._how.most_s)
        return pause

    def _begin(self, now: float) -> None:
        self._lost_at = now
        if self._connected_at is not None and now - self._connected_at >= self._how.most_s:
            self._pause_s = self._how.first_s


class Place:
    """Where one subscription stands over all its connections, and which events its caller has had."""

    def __init__(self, params: EventsSubscribeParams) -> None:
        self._params = params
        self._had: set[tuple[str, str]] = set()
        self._order: deque[tuple[str, str]] = deque()
        self.cursor: str | None = None
        """After which there is nothing that the caller has had; None before the first connection."""

    def params(self) -> EventsSubscribeParams:
        """Return what to subscribe with now."""
        if self.cursor is None:
            return self._params
        return msgspec.structs.replace(self._params, after=self.cursor)

    def begun(self, result: EventsSubscribeResult) -> None:
        """Take the place that the daemon gave, unless this goes on from one."""
        self.cursor = self.cursor or result.cursor

    def moved(self, cursor: str) -> None:
        """Take a newer place: what lies before it was handed out or is not wanted."""
        self.cursor = cursor

    def take(self, arrival: Arrival) -> bool:
        """Move past an event; tell whether the caller has not had it yet, by its source and id."""
        self.cursor = arrival.cursor
        name = (arrival.event.source, arrival.event.id)
        if name in self._had:
            return False
        self._had.add(name)
        self._order.append(name)
        if len(self._order) > _REMEMBERED:
            self._had.discard(self._order.popleft())
        return True
