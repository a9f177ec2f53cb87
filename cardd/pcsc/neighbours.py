"""Which other programs use the smart-card service, as far as this user may know.

PC/SC does not tell who holds a reader. But whoever does has libpcsclite loaded, and was told to use the same service as
we; the kernel shows both: of this user's own processes, or of all of them to root. That makes them candidates, no more:
a program may have the library loaded and no reader open.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from cardd.pcsc.service import socket_in

_LIBRARY: Final = b"/libpcsclite.so"
_PROC: Final = Path("/proc")
_GOOD_FOR_S: Final = 5.0


class Neighbours:
    """The other programs with libpcsclite for the same pcscd, looked up at most every five seconds. Any thread may ask.

    `socket` is where that pcscd is: by default where libpcsclite looks for it in this process.
    """

    def __init__(
        self, proc: Path = _PROC, monotonic: Callable[[], float] = time.monotonic, socket: str | None = None
    ) -> None:
        self._proc = proc
        self._socket = os.path.realpath(socket or socket_in(os.environ))
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._names: tuple[str, ...] = ()
        self._good_until = float("-inf")

    def names(self) -> tuple[str, ...]:
        """Return them as `name (process id)`; none where there are none or this user may not see them."""
        with self._lock:
            if self._monotonic() >= self._good_until:
                self._names = tuple(_users(self._proc, self._socket))
                self._good_until = self._monotonic() + _GOOD_FOR_S
            return self._names


def _users(proc: Path, socket: str) -> Iterator[str]:
    own = os.getpid()
    for process in sorted(int(entry.name) for entry in proc.iterdir() if entry.name.isdecimal()):
        if process == own:
            continue
        try:
            has_it = _LIBRARY in (proc / str(process) / "maps").read_bytes()
            if has_it and _socket_of((proc / str(process) / "environ").read_bytes()) == socket:
                yield f"{(proc / str(process) / 'comm').read_text(errors='replace').strip()} ({process})"
        except OSError:
            # it has ended, or it is another user's
            continue


def _socket_of(environment: bytes) -> str:
    """Return the pcscd that a program was told to use when it was started."""
    entries = os.fsdecode(environment).split("\0")
    return os.path.realpath(socket_in(dict(entry.split("=", 1) for entry in entries if "=" in entry)))
