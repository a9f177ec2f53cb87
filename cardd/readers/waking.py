"""SAM slots that never announce their card: powered now and then, to find out whether one is inside.

Some readers have no switch in the slots for security modules: they say empty until somebody gives power. Only slots
that the configuration says this of are powered, since a driver may leave an empty one looking mute.
"""

from collections.abc import Callable, Collection
from functools import partial
from typing import Final

from cardd.base.clock import Clock, TimerHandle

FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 64.0


class Waking:
    """Wakes dark slots, at once and then less and less often. Event loop's thread only."""

    def __init__(self, clock: Clock, wake: Callable[[str], None]) -> None:
        self._clock = clock
        self._wake = wake
        self._timers: dict[str, TimerHandle] = {}

    def tend(self, dark: Collection[str]) -> None:
        """Wake these slots from now on, and no others."""
        for slot in self._timers.keys() - set(dark):
            self._timers.pop(slot).cancel()
        for slot in set(dark) - self._timers.keys():
            self._try(slot, FIRST_PAUSE_S)

    def _try(self, slot: str, pause: float) -> None:
        again = partial(self._try, slot, min(pause * 2, LONGEST_PAUSE_S))
        self._timers[slot] = self._clock.call_later(pause, again)
        self._wake(slot)
