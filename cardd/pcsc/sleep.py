"""Whether the machine has slept: cards may have been exchanged meanwhile, and no counter tells.

`CLOCK_MONOTONIC` stands still while the machine sleeps, `CLOCK_BOOTTIME` goes on. A timer of the kernel that is
cancelled when the clock jumps, as it does on waking up, lets a thread learn of it without ever looking.
"""

import ctypes
import errno
import os
import threading
import time
from collections.abc import Callable
from typing import Final

_NAP_S: Final = 1.0
"""Less than this is no sleep: the two clocks are not read at the same moment."""

_NEVER: Final = 1 << 40
_ABSOLUTE_AND_CANCELLED_BY_JUMPS: Final = 0b11
_CLOEXEC: Final = os.O_CLOEXEC


def asleep_so_far() -> float:
    """Return the seconds that the machine has slept since it was started."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()


class Sleep:
    """Tells once of each sleep. `asleep` grows by as long as it lasted."""

    def __init__(self, asleep: Callable[[], float] = asleep_so_far) -> None:
        self._asleep = asleep
        self._known = asleep()

    def over(self) -> bool:
        """Tell whether the machine has slept since this was asked last."""
        before, self._known = self._known, self._asleep()
        return self._known - before > _NAP_S


class _Time(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Timer(ctypes.Structure):
    _fields_ = (("interval", _Time), ("value", _Time))


class Alarm:
    """A thread that calls back whenever the clock jumps: on waking up, and when somebody sets it.

    Where the kernel has no such timer nothing is ever called: a sleep is noticed then at the next look.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._closing = threading.Event()
        self._timer = -1
        self.thread = threading.Thread(target=self._wait, name="pcsc-alarm", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._timer = int(self._libc.timerfd_create(time.CLOCK_REALTIME, _CLOEXEC))
        self.thread.start()

    def close(self) -> None:
        """Let the thread end. Never blocks."""
        if not self._closing.is_set():
            self._closing.set()
            # so long ago that it goes off at once
            self._set(1)

    def _wait(self) -> None:
        while self._timer >= 0 and not self._closing.is_set():
            self._set(_NEVER)
            if self._closing.is_set():
                break
            try:
                os.read(self._timer, 8)
            except OSError as error:
                if error.errno != errno.ECANCELED:
                    break
                self._ring()
        if self._timer >= 0:
            os.close(self._timer)

    def _set(self, seconds: int) -> None:
        when = _Timer(_Time(0, 0), _Time(seconds, 0))
        self._libc.timerfd_settime(self._timer, _ABSOLUTE_AND_CANCELLED_BY_JUMPS, ctypes.byref(when), None)
