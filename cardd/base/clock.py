"""Time, passed in: nobody on any floor asks the system for it directly."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol


class TimerHandle(Protocol):
    """A deadline that was armed."""

    def cancel(self) -> None:
        """Disarm it. Harmless after it has fired."""


class Clock(Protocol):
    """Wall time for records, monotonic time for deadlines."""

    def now(self) -> datetime:
        """Return the time of day, aware, in UTC. It may jump."""

    def monotonic(self) -> float:
        """Return seconds that only grow."""

    def call_later(self, seconds: float, callback: Callable[[], None]) -> TimerHandle:
        """Call back on the event loop's thread after so many monotonic seconds."""


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        """Return the time of day in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return CLOCK_MONOTONIC in seconds."""
        return time.monotonic()

    def call_later(self, seconds: float, callback: Callable[[], None]) -> TimerHandle:
        """Arm a timer on the running event loop."""
        return asyncio.get_running_loop().call_later(seconds, callback)
