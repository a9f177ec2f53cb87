"""A daemon as a process of its own, with a card in another, and clients that mean it no good in a third."""

import contextlib
import json
import os
import pwd
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import yaml

from cardd.api.rights import Right
from cardd.client.blocking import Client
from cardd.client.errors import UnreachableError
from cardd.wire.cards import CardReadParams
from cardd.wire.methods import CARD_READ, READERS_LIST
from cardd.wire.system import NoParams
from cardsim.card.make import make_card
from cardsim.links.messages import SOCKET_VARIABLE
from cardsim.links.socket import SocketRig
from cardsim.persona import load_persona
from cardsim.rig import REGISTER, default_config, program
from support.hostile_clients import NOBODY
from support.resources import Resources, steady
from support.waiting import until

FRONT: Final = "Front"
SAM: Final = "Sam"
SLOTS: Final = (FRONT, SAM)
_TESTS: Final = Path(__file__).parents[1]
_ALL: Final = sorted(map(str, Right))
_FAULTS: Final = re.compile(rb"Traceback|a method failed|a connection failed|never retrieved|\bcritical\b")


class Siege:
    """A counter of one reader with its security module. `client` was there before anybody else.

    The user that runs it may do everything, everybody else may watch.
    """

    def __init__(self, directory: Path, settings: Mapping[str, object] | None = None) -> None:
        directory.chmod(0o711)
        shutil.copy(REGISTER, directory / "register.yaml")
        self.log: Final = directory / "cardd.log"
        self.socket: Final = directory / "cardd.sock"
        self._rig = SocketRig(directory / "rig.sock")
        for slot in SLOTS:
            self._rig.add_slot(slot)
        self._rig.start()
        self.insert("psam", SAM)
        config = directory / "cardd.yaml"
        rights = [{"user": _name(os.geteuid()), "grant": _ALL}, {"user": _name(NOBODY), "grant": ["watch"]}]
        stations = {
            **default_config(SLOTS),
            "backend": "socket",
            "socket": {"path": "cardd.sock", "mode": "0666", "rights": rights},
            **(settings or {}),
        }
        config.write_text(yaml.safe_dump(stations), encoding="utf-8")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [program("cardd"), "run", "--config", str(config)],
                env={**os.environ, SOCKET_VARIABLE: str(self._rig.path)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.client: Final = self._connected()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()
        self.process.terminate()
        try:
            ended = self.process.wait(10)
        finally:
            self.process.kill()
            self._rig.close()
        assert ended == os.EX_OK, self.faults()
        assert self.faults() == []

    def _connected(self) -> Client:
        for _ in range(750):
            with contextlib.suppress(UnreachableError):
                client = Client.connect(self.socket)
                # a card put in before the readers were looked at was inside already, and starts nothing by itself
                if len([view for view in client.call(READERS_LIST, NoParams()).readers if view.station]) >= len(SLOTS):
                    return client
                client.close()
            assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
            time.sleep(0.02)
        raise AssertionError(self.log.read_text(encoding="utf-8"))

    def faults(self) -> list[str]:
        """Return the lines of the log that tell of a fault of the daemon's own."""
        lines = self.log.read_bytes().splitlines()
        return [line.decode("utf-8", "replace") for line in lines if _FAULTS.search(line)]

    def insert(self, persona: str, slot: str = FRONT) -> None:
        self._rig.insert(slot, make_card(load_persona(persona), interface="contact"))

    def remove(self, slot: str = FRONT) -> None:
        self._rig.remove(slot)

    def swap(self, persona: str) -> None:
        """Put another card in once it is seen that the one before has gone, and wait until that is seen too."""
        self.remove()
        until(lambda: self._state() == "empty", "the reader is empty")
        self.insert(persona)
        until(lambda: self._state() == "present", "a card is in")

    def _state(self) -> str:
        views = self.client.call(READERS_LIST, NoParams()).readers
        return next(view.state for view in views if view.reader == "reader-0")

    def resources(self) -> Resources:
        return Resources.of(self.process.pid)

    def at_rest(self) -> Resources:
        """Wait until nobody comes or goes any more, and return what the daemon holds."""
        steady(lambda: self.resources().descriptors, 0.5)
        return self.resources()

    def read(self) -> float:
        """Read the card that is in, as a desk does, and return the seconds that it took."""
        began = time.monotonic()
        result = self.client.call(CARD_READ, CardReadParams(purpose="registration", wait_s=5.0), wait_s=30.0)
        assert result.holder is not None
        return time.monotonic() - began

    def reads(self, number: int) -> float:
        """Return the median of so many."""
        return statistics.median(self.read() for _ in range(number))


def _name(user: int) -> str:
    return pwd.getpwuid(user).pw_name


@contextlib.contextmanager
def hostile(siege: Siege, *deeds: str, seconds: float) -> Iterator[dict[str, dict[str, Any]]]:
    """Have clients at it, each in a process of its own, while the body runs; what each got is there afterwards."""
    command = [sys.executable, "-m", "support.hostile_clients", str(siege.socket), str(seconds)]
    around = {**os.environ, "PYTHONPATH": str(_TESTS)}
    clients = {deed: subprocess.Popen([*command, deed], env=around, stdout=subprocess.PIPE) for deed in deeds}
    got: dict[str, dict[str, Any]] = {}
    try:
        # each says that it has begun
        for client in clients.values():
            assert client.stdout is not None
            client.stdout.readline()
        yield got
        for deed, client in clients.items():
            out, _ = client.communicate(timeout=seconds + 30)
            assert client.returncode == 0, deed
            got[deed] = json.loads(out)
    finally:
        for client in clients.values():
            client.kill()
            client.communicate()
