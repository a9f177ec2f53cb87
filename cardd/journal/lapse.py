"""How much time has passed for sure: what is taken away for its age is not taken on the word of a clock alone.

A clock may be set years ahead, by hand or for want of a battery. What cannot jump is the time that this process has
run, and what the journal has seen is a clock that for a day went on in small steps.
"""

import sqlite3
from datetime import datetime, timedelta
from typing import Final

from cardd.journal.encoding import rfc3339

A_DAY: Final = timedelta(days=1)
"""So long a clock must have been consistent before anything is taken away by it."""
LONGEST_STEP: Final = timedelta(days=14)
"""A longer time without any event is a clock that was set, or a counter that was closed: nobody can tell which."""

_MOST_STEPS: Final = 100
_NEWEST: Final = "SELECT time FROM events ORDER BY sequence DESC LIMIT 1"
_BEFORE: Final = """
    SELECT sequence, time FROM events INDEXED BY events_by_time WHERE time <= ?
    ORDER BY time DESC, sequence DESC LIMIT 1
"""
_AT: Final = "SELECT time FROM events WHERE sequence = ?"


def witnessed(connection: sqlite3.Connection) -> datetime | None:
    """Return the newest time in the journal after which the clock went on for a day, in steps; None before that."""
    row = connection.execute(_NEWEST).fetchone()
    for _ in range(_MOST_STEPS):
        row = None if row is None else connection.execute(_BEFORE, (_a_day_before(row[-1]),)).fetchone()
        if row is None:
            return None
        sequence, time = row
        following = connection.execute(_AT, (sequence + 1,)).fetchone()
        if following is not None and is_step(time, following[0]):
            return datetime.fromisoformat(time)
    return None


def is_step(earlier: str, later: str) -> bool:
    """Tell whether a clock may have come from one event's time to the next one's by itself."""
    return abs(datetime.fromisoformat(later) - datetime.fromisoformat(earlier)) <= LONGEST_STEP


def _a_day_before(time: str) -> str:
    return rfc3339(datetime.fromisoformat(time) - A_DAY)


class Lapse:
    """What time it is at least, by what was witnessed and by how long this process has run since."""

    def __init__(self) -> None:
        self._time: datetime | None = None
        self._at = 0.0

    def take(self, time: datetime | None, at: float) -> None:
        """Take over what was witnessed at a moment (monotonic seconds), if it is more than is known already."""
        known = self._reached(at)
        if time is not None and (known is None or time > known):
            self._time, self._at = time, at

    def now(self, clock: datetime, at: float) -> datetime | None:
        """Return the time that has come for sure, never later than the clock says; None while there is no evidence."""
        known = self._reached(at)
        return None if known is None else min(clock, known)

    def _reached(self, at: float) -> datetime | None:
        return None if self._time is None else self._time + timedelta(seconds=at - self._at)
