"""A daemon that may be killed at any place of what it does, and starts again from the same directory."""

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import yaml

from cardd.client.blocking import Client
from cardd.client.errors import UnreachableError
from cardd.wire.cards import ReaderView
from cardd.wire.methods import READERS_LIST
from cardd.wire.system import NoParams
from support.kill_points import KillPoints, inherited
from support.matrix_zygote import Forked, Zygote

_READY_S: Final = 20.0
_LOOK_S: Final = 0.005


class Mortal:
    """One daemon at a time, forked anew after each of its deaths; what it has on disk outlives it."""

    def __init__(self, directory: Path, points: KillPoints, environment: Mapping[str, str]) -> None:
        self.directory = directory
        self.points = points
        self.log = directory / "cardd.log"
        self._config = directory / "cardd.yaml"
        self._daemon: Forked | None = None
        self._zygote = Zygote({**inherited(points), **environment})

    def configure(self, config: Mapping[str, object]) -> None:
        """Write the daemon's configuration; where it listens and keeps its state is said here."""
        usual: dict[str, object] = {
            "socket": {"path": "cardd.sock"},
            "state_dir": "state",
            "logs": {"level": "debug", "format": "json"},
        }
        self._config.write_text(yaml.safe_dump({**usual, **config}, allow_unicode=True), encoding="utf-8")

    def start(self) -> None:
        """Start a daemon and wait until it answers and knows its readers."""
        self.begin()
        assert self.is_ready(), self.log.read_text(encoding="utf-8")[-2000:]

    def begin(self) -> None:
        """Start a daemon and wait for nothing."""
        self._daemon = self._zygote.fork(self._config, self.log)

    def is_ready(self) -> bool:
        """Wait until the daemon answers and knows its readers; return False if it died before."""
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline and self.lives:
            with contextlib.suppress(UnreachableError, OSError), self.client() as client:
                if self.knows(client.call(READERS_LIST, NoParams()).readers):
                    return True
            time.sleep(_LOOK_S)
        return False

    def knows(self, readers: list[ReaderView]) -> bool:
        """Tell whether these are the readers to wait for."""
        return bool(readers)

    @property
    def lives(self) -> bool:
        return self._daemon is not None and self._daemon.poll() is None

    def watch(self, at: int | None = None) -> None:
        """Count from now on the places that the daemon comes to, and kill it at one of them."""
        assert self._daemon is not None
        self.points.watch(self._daemon, at)

    def bury(self) -> None:
        """Forget a daemon that was killed."""
        daemon, self._daemon = self._daemon, None
        if daemon is not None:
            daemon.wait()
            daemon.close()

    def stop(self) -> None:
        """End the daemon in order, unless it is dead."""
        if self._daemon is not None:
            self._daemon.terminate()
        self.bury()

    def close(self) -> None:
        """Start no more."""
        self.stop()
        self._zygote.__exit__(None, None, None)

    def client(self) -> Client:
        return Client.connect(self.directory / "cardd.sock")
