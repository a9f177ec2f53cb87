"""Every place at which a daemon may be killed: before and after each commit, each card command, each call to others.

The daemon is an ordinary process that knows nothing of this. Its commits are seen by a small library that is loaded
into it (`kill_points.c`), commands where its cards live, and whatever else by who serves it: each says `reached` and
goes on if that returns True. At the chosen place the process gets SIGKILL and is gone before anybody goes on.
"""

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from cardsim.card.base import VirtualCard

_COMPILE: Final = ("cc", "-std=gnu11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC")


class Mortal(Protocol):
    """A process that can be killed, started in whatever way."""

    def send_signal(self, number: int, /) -> None:
        """Send it a signal."""

    def wait(self) -> int:
        """Return when it is gone, with what it ended with."""


class KillPoints:
    """Counts the places that one process comes to, and kills it at the one that was chosen."""

    def __init__(self, directory: Path) -> None:
        """Compile the library into a directory and listen there."""
        self._library = directory / "kill_points.so"
        self._path = directory / "kill_points.sock"
        source = Path(__file__).with_suffix(".c")
        subprocess.run([*_COMPILE, "-o", str(self._library), str(source), "-ldl", "-lpthread"], check=True)
        self._changed = threading.Condition()
        self._process: Mortal | None = None
        self._at: int | None = None
        self._passed: list[str] = []
        self.killed_at: str | None = None
        """The place at which the process was killed; None while it lives."""
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._path))
        self._listener.listen()
        threading.Thread(target=self._accept, name="kill points", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()

    @property
    def environment(self) -> Mapping[str, str]:
        """What the process must be started with for its commits to be seen."""
        return {"LD_PRELOAD": str(self._library), "CARDD_KILL_POINTS": str(self._path)}

    def watch(self, process: Mortal, at: int | None = None) -> None:
        """Count from now on what that process comes to; kill it at the place of that number, the first being 0."""
        with self._changed:
            self._process, self._at, self._passed, self.killed_at = process, at, [], None

    def unwatch(self) -> list[str]:
        """Count no more and return the places that were passed, that of the killing included."""
        with self._changed:
            self._process = None
            return self._passed

    def reached(self, place: str) -> bool:
        """Say that the process is at a place; return whether it lives on. Any thread."""
        with self._changed:
            if self._process is None:
                return True
            if self.killed_at is not None:
                return False
            self._passed.append(place)
            if self._at is None or len(self._passed) <= self._at:
                return True
            self.killed_at = place
            self._process.send_signal(signal.SIGKILL)
            # gone before anybody goes on: what the card does next, it does for nobody
            self._process.wait()
            self._changed.notify_all()
            return False

    def await_death(self, seconds: float) -> bool:
        """Wait for the killing; return whether it came."""
        with self._changed:
            return self._changed.wait_for(lambda: self.killed_at is not None, seconds)

    def card(self, name: str, card: VirtualCard) -> VirtualCard:
        """Return a card each of whose commands is a place before and a place after."""
        return _WatchedCard(self, name, card)

    def _accept(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(link,), name="kill points", daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        # the other side may die at any moment, and not only by our hand
        with suppress(ConnectionError), link, link.makefile("rb") as lines:
            for line in lines:
                if not self.reached(line.decode().strip()):
                    return
                link.sendall(b"g")


class _WatchedCard:
    """A card in whose hands a daemon dies."""

    def __init__(self, points: KillPoints, name: str, card: VirtualCard) -> None:
        self._points = points
        self._name = name
        self._card = card

    def power_on(self) -> bytes:
        return self._card.power_on()

    def reset(self) -> bytes:
        return self._card.reset()

    def power_off(self) -> None:
        self._card.power_off()

    def transmit(self, command: bytes) -> bytes:
        # header and length: enough to tell commands apart, and nothing of what they carry
        place = f"{self._name} {command[:5].hex().upper()}"
        if not self._points.reached(f"before {place}"):
            # the command never left the daemon
            return b""
        answer = self._card.transmit(command)
        self._points.reached(f"after {place}")
        return answer


def inherited(points: KillPoints) -> dict[str, str]:
    """Return this process's environment with what the watched one needs."""
    return {**os.environ, **points.environment}
