"""A counter whose daemon is killed again and again, and whose cards live on in the process of the test."""

import contextlib
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import yaml

from cardd.client.blocking import Client
from cardd.client.errors import CallError, UnreachableError
from cardd.wire.activation import PromptAnswerParams
from cardd.wire.base import Params
from cardd.wire.events import Event, EventsSubscribeParams, short_type
from cardd.wire.methods import PROMPT_ANSWER, READERS_LIST
from cardd.wire.system import NoParams
from cardsim.card.base import VirtualCard
from cardsim.card.chip import Chip
from cardsim.links.messages import SOCKET_VARIABLE
from cardsim.links.socket import SocketRig
from cardsim.rig import program
from support.cards import ROOT, STK_ROOT
from support.kill_points import KillPoints, inherited

READY_S = 20.0
PATIENCE_S = 10.0
FRONT = "front"

Answer = dict[str, Any]


class Mortal:
    """One reader, software keys, and a daemon that can be killed at any place of what it does."""

    def __init__(
        self,
        directory: Path,
        points: KillPoints,
        *,
        slots: Sequence[str] = (FRONT,),
        settings: Mapping[str, object] | None = None,
    ) -> None:
        self.points = points
        self.directory = directory
        self.socket = directory / "cardd.sock"
        self.log = directory / "cardd.log"
        self.rig = SocketRig(directory / "rig.sock")
        for slot in slots:
            self.rig.add_slot(slot)
        self.rig.start()
        self.process: subprocess.Popen[bytes] | None = None
        self._seen: list[Event] = []
        self._cursor = "earliest"
        self.typed = 0
        """How many prompts were answered with digits."""
        config = {
            "socket": {"path": "cardd.sock"},
            "state_dir": "state",
            "backend": "socket",
            "stations": [
                {"name": "desk", "readers": [{"match": {"name": slot}, "name": slot} for slot in slots]},
            ],
            "keys": {"provider": "software", "tests_only": True, "root_file": "root.key", "stk_root_file": "stk.key"},
            "logs": {"level": "debug", "format": "json"},
        }
        for name, key in (("root.key", ROOT), ("stk.key", STK_ROOT)):
            (directory / name).write_text(key.hex(), encoding="ascii")
            (directory / name).chmod(0o600)
        text = yaml.safe_dump({**config, **(settings or {})}, allow_unicode=True)
        (directory / "cardd.yaml").write_text(text, encoding="utf-8")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self.rig.close()

    # -- the daemon

    def start(self) -> None:
        """Start the daemon and wait until it answers and knows its readers."""
        self.begin()
        assert self.is_ready(), self.log.read_text(encoding="utf-8")[-2000:]

    def begin(self, at: int | None = None) -> None:
        """Start the daemon, which is killed at a place that it comes to from its first moment on."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [program("cardd"), "run", "--config", str(self.directory / "cardd.yaml")],
                env={**inherited(self.points), SOCKET_VARIABLE: str(self.rig.path)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.watch(at)

    def is_ready(self) -> bool:
        """Wait until the daemon answers and knows its readers; return False if it died before."""
        assert self.process is not None
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(UnreachableError, OSError), self.client() as client:
                if client.call(READERS_LIST, NoParams()).readers:
                    return True
            time.sleep(0.01)
        return False

    def stop(self) -> None:
        """End the daemon in order, unless it is dead."""
        process, self.process = self.process, None
        if process is not None and process.poll() is None:
            process.terminate()
            process.wait(PATIENCE_S)

    def watch(self, at: int | None = None) -> None:
        """Count from now on the places that the daemon comes to, and kill it at one of them."""
        assert self.process is not None
        self.points.watch(self.process, at)

    def client(self) -> Client:
        return Client.connect(self.socket)

    # -- the card

    def insert(self, chip: Chip, *, slot: str = FRONT, name: str = "card") -> VirtualCard:
        """Put a card in, whose commands are places, and wait until it is known what it is."""
        card = self.points.card(name, chip.on("contact"))
        known = len(self.events("card.identified"))
        self.rig.insert(slot, card)
        self.wait(lambda: len(self.events("card.identified")) > known, "an identity")
        return card

    def remove(self, slot: str = FRONT) -> None:
        """Take the card out and wait until that is known."""
        known = len(self.events("card.removed"))
        self.rig.remove(slot)
        self.wait(lambda: len(self.events("card.removed")) > known, "a removal")

    # -- calls

    def call(self, method: str, params: Params, pins: Sequence[str] = ()) -> Answer | None:
        """Call, type PINs at the prompts in turn, and return the result or the error's data; None if it died."""
        wanted = list(pins)
        with contextlib.ExitStack() as stack:
            try:
                calling, watching = (stack.enter_context(self.client()) for _ in range(2))
                watching.subscribe(EventsSubscribeParams(types=["prompt.opened"]))
            except (UnreachableError, OSError):
                return None
            aside = stack.enter_context(ThreadPoolExecutor(max_workers=1))
            answer = aside.submit(self._call, calling, method, params)
            with contextlib.suppress(UnreachableError, OSError):
                self._type(watching, answer, wanted)
            return answer.result()

    def _call(self, client: Client, method: str, params: Params) -> Answer | None:
        try:
            answer: Answer = msgspec.json.decode(client.call_raw(method, params, wait_s=PATIENCE_S))
        except CallError as error:
            return {"reason": error.reason, **error.data}
        except (UnreachableError, OSError):
            return None
        return answer

    def _type(self, client: Client, answer: "Future[Answer | None]", wanted: list[str]) -> None:
        while not answer.done():
            for arrival in client.events(0.02):
                prompt = str(arrival.event.data["prompt"])
                pin = wanted.pop(0)
                self.typed += 1
                client.call(PROMPT_ANSWER, PromptAnswerParams(prompt=prompt, pin=pin))

    # -- what is on record

    def events(self, *kinds: str, **data: object) -> list[Answer]:
        """Return the data of every event of these types so far that holds this, from the daemon that runs."""
        self._catch_up()
        found = [event.data for event in self._seen if short_type(event.type) in kinds]
        return [dict(one) for one in found if data.items() <= one.items()]

    def _catch_up(self) -> None:
        with self.client() as client:
            client.subscribe(EventsSubscribeParams(after=self._cursor))
            ends = int(msgspec.json.decode(client.call_raw("system.status", NoParams()))["journal"]["last"])
            if self._seen and int(self._seen[-1].sequence) >= ends:
                return
            for arrival in client.events(PATIENCE_S):
                self._seen.append(arrival.event)
                self._cursor = arrival.cursor
                if int(arrival.event.sequence) >= ends:
                    return

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, f"no {what}"
            time.sleep(0.005)
