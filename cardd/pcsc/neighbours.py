"""Which other programs use the smart-card service, as far as this user may know.

PC/SC does not tell who holds a reader. But whoever does has libpcsclite loaded, and the kernel shows that: of this
user's own processes, or of all of them to root.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

_LIBRARY: Final = b"/libpcsclite.so"
_PROC: Final = Path("/proc")
_GOOD_FOR_S: Final = 5.0


class Neighbours:
    """The other programs with libpcsclite, looked up at most every five seconds. Any thread may ask."""

    def __init__(self, proc: Path = _PROC, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._proc = proc
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._names: tuple[str, ...] = ()
        self._good_until = float("-inf")

    def names(self) -> tuple[str, ...]:
        """Return them as `name (process id)`; none where there are none or this user may not see them."""
        with self._lock:
            if self._monotonic() >= self._good_until:
                self._names = tuple(_users(self._proc))
                self._good_until = self._monotonic() + _GOOD_FOR_S
            return self._names


def _users(proc: Path) -> Iterator[str]:
    own = os.getpid()
    for process in sorted(int(entry.name) for entry in proc.iterdir() if entry.name.isdecimal()):
        if process == own:
            continue
        try:
            if _LIBRARY in (proc / str(process) / "maps").read_bytes():
                yield f"{(proc / str(process) / 'comm').read_text(errors='replace').strip()} ({process})"
        except OSError:
            # it has ended, or it is another user's
            continue
