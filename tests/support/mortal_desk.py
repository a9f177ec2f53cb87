"""A desk with software keys whose daemon is killed again and again, and whose cards live on in the test's process."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from cardd.client.blocking import Client
from cardd.client.errors import CallError, UnreachableError
from cardd.wire.activation import PromptAnswerParams
from cardd.wire.base import Params
from cardd.wire.events import Event, EventsSubscribeParams, short_type
from cardd.wire.methods import PROMPT_ANSWER
from cardd.wire.system import NoParams
from cardsim.card.base import VirtualCard
from cardsim.card.chip import Chip
from cardsim.links.messages import SOCKET_VARIABLE
from cardsim.links.socket import SocketRig
from support.cards import ROOT, STK_ROOT
from support.kill_points import KillPoints
from support.mortal import Mortal
from support.waiting import until

PATIENCE_S = 10.0
FRONT = "front"

Answer = dict[str, Any]


class MortalDesk(Mortal):
    """One reader, software keys, and a daemon that can be killed at any place of what it does."""

    def __init__(
        self,
        directory: Path,
        points: KillPoints,
        *,
        slots: Sequence[str] = (FRONT,),
        settings: Mapping[str, object] | None = None,
    ) -> None:
        self.rig = SocketRig(directory / "rig.sock")
        for slot in slots:
            self.rig.add_slot(slot)
        self.rig.start()
        super().__init__(directory, points, {SOCKET_VARIABLE: str(self.rig.path)})
        self._seen: list[Event] = []
        self._cursor = "earliest"
        self.typed = 0
        """How many prompts were answered with digits."""
        for name, key in (("root.key", ROOT), ("stk.key", STK_ROOT)):
            (directory / name).write_text(key.hex(), encoding="ascii")
            (directory / name).chmod(0o600)
        config = {
            "backend": "socket",
            "stations": [
                {"name": "desk", "readers": [{"match": {"name": slot}, "name": slot} for slot in slots]},
            ],
            "keys": {"provider": "software", "tests_only": True, "root_file": "root.key", "stk_root_file": "stk.key"},
        }
        self.configure({**config, **(settings or {})})

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self.rig.close()

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
        until(condition, what, PATIENCE_S)
