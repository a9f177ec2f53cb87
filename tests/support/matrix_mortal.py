"""A counter whose daemon may be killed at any place, with its cards and its centre in the process of the test."""

import contextlib
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Final, Protocol, Self

import msgspec

from cardd.client.blocking import Client
from cardd.client.errors import CallError, UnreachableError
from cardd.wire.activation import ENDS, ActivationIdParams, ActivationResult, PromptAnswerParams, State
from cardd.wire.cards import ReaderView
from cardd.wire.centre import Question
from cardd.wire.methods import ACTIVATION_GET, ACTIVATION_START, PROMPT_ANSWER, SYSTEM_STATUS
from cardd.wire.system import NoParams
from cardsim.card.base import VirtualCard
from cardsim.centre.desk import Desk
from cardsim.centre.server import CentreServer
from cardsim.links.messages import SOCKET_VARIABLE
from cardsim.links.socket import SocketRig
from cardsim.rig import program
from support.kill_points import KillPoints
from support.matrix_cards import Plastic
from support.matrix_clerk import DIGITS, Customer, Variation
from support.matrix_judge import Centre, Told
from support.mortal import Mortal
from support.people import invent

FRONT, MODULE = "front", "sam"
_END_S: Final = 25.0
_LOOK_S: Final = 0.005
_BEHIND_S: Final = 1.0
_PATIENCE_S: Final = 1.0
"""So long a clerk looks at a card that leads to nothing, before taking it out and putting it in again."""


class _WatchedDesk(Desk):
    """A centre each of whose questions is a place before and a place after."""

    points: KillPoints

    def answer(self, method: str, question: Question) -> object:
        """Carry a question out, unless whoever asked it has died before it left."""
        if not self.points.reached(f"before centre {method}"):
            raise ConnectionAbortedError
        answer = super().answer(method, question)
        self.points.reached(f"after centre {method}")
        return answer


class Slots(Protocol):
    """Where cards are put in: two readers that live longer than a daemon."""

    environment: Mapping[str, str]
    """What a daemon needs to find them."""
    backend: str
    names: Mapping[str, str]
    """Globs of the reader at the counter (`front`) and of the module's (`sam`)."""

    def insert(self, slot: str, card: VirtualCard) -> None:
        """Put a card in."""

    def remove(self, slot: str) -> None:
        """Take it out."""

    def close(self) -> None:
        """End them."""


class Rack:
    """Slots of the socket backend, in this process."""

    backend = "socket"
    names: Mapping[str, str] = MappingProxyType({FRONT: FRONT, MODULE: MODULE})

    def __init__(self, directory: Path) -> None:
        self._rig = SocketRig(directory / "rig.sock")
        for slot in self.names:
            self._rig.add_slot(slot)
        self._rig.start()
        self.environment: Mapping[str, str] = {SOCKET_VARIABLE: str(self._rig.path)}
        self.insert, self.remove, self.close = self._rig.insert, self._rig.remove, self._rig.close


class MortalCounter(Mortal):
    """One reader at the counter, a security module, and a daemon that is forked anew after each of its deaths."""

    def __init__(
        self,
        directory: Path,
        points: KillPoints,
        variation: Variation,
        people: int,
        slots: Slots | None = None,
        *,
        authority_s: float = 10.0,
    ) -> None:
        self.slots = slots or Rack(directory)
        super().__init__(directory, points, self.slots.environment)
        self.variation = variation
        self._authority_s = authority_s
        self.customers: list[Customer] = []
        file, invented = invent(directory, people)
        self._people = iter(enumerate(invented))
        desk = _WatchedDesk.open(directory / "centre.sqlite", file)
        assert isinstance(desk, _WatchedDesk)
        desk.points = points
        self._desk = desk
        self.centre = CentreServer(desk, slow_s=authority_s * 3)
        self.slots.insert(MODULE, points.card("module", Plastic("psam")))
        self._inside: Plastic | None = None
        self._put_at = 0.0
        self._answered: set[str] = set()
        self.killed_at: str | None = None
        """Where the daemon was killed while the last customer was served."""

    def __enter__(self) -> Self:
        self.centre.__enter__()
        config = {
            "backend": self.slots.backend,
            "stations": [
                {
                    "name": "counter-0",
                    "readers": [
                        {"match": {"name": self.slots.names[FRONT]}, "name": FRONT},
                        {"match": {"name": self.slots.names[MODULE]}, "role": "sam", "name": MODULE},
                    ],
                }
            ],
            "authority": {"provider": "http", "url": self.centre.url, "timeout_s": self._authority_s},
            "activation": {
                "pin_policy": str(self.variation.pins),
                "deadlines": {"authority_s": self._authority_s + 1, "confirming": self._authority_s * 3},
            },
        }
        self.configure(config)
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self.slots.close()
        self.centre.__exit__()
        self._desk.close()

    # -- the daemon

    def knows(self, readers: list[ReaderView]) -> bool:
        return {view.state for view in readers if view.reader == MODULE} == {"present"}

    def settle(self) -> None:
        """Wait until the daemon has nothing more to record."""
        quiet, last = 0, -1
        while quiet < 4:
            with self.client() as client:
                now = int(msgspec.json.decode(client.call_raw(SYSTEM_STATUS.name, NoParams()))["journal"]["last"])
            quiet, last = (quiet + 1, now) if now == last else (0, now)
            time.sleep(_LOOK_S)

    # -- a customer

    def customer(self) -> Customer:
        """Have the next person come."""
        index, person = next(self._people)
        customer = Customer(index, person, self.variation)
        self.customers.append(customer)
        return customer

    def serve(self, customer: Customer, at: int | None = None) -> tuple[ActivationResult, list[str]]:
        """Serve a customer to the end; the daemon dies at a place, or not at all. Return the end, the places passed."""
        self.take()
        self.settle()
        self.killed_at = None
        self.watch(at)
        end = time.monotonic() + _END_S
        view: ActivationResult | None = None
        while view is None or view.state not in ENDS:
            assert time.monotonic() < end, f"{view and view.state}: nothing goes on"
            try:
                with self.client() as client:
                    view = self._drive(client, customer, end)
            except (UnreachableError, OSError):
                if not self._died():
                    raise
        # what is recorded behind the end may be a place too
        if at is None:
            self.settle()
        elif self._lives_still() and self.points.await_death(_BEHIND_S):
            assert self._died()
        return view, self.points.unwatch()

    def _lives_still(self) -> bool:
        return self.killed_at is None

    def _died(self) -> bool:
        """Tell whether the daemon was killed; if so, start another one, of which nothing is watched."""
        if self.points.killed_at is None:
            return False
        self.bury()
        self.killed_at = self.points.killed_at
        self.points.unwatch()
        self.start()
        return True

    def _drive(self, client: Client, customer: Customer, end: float) -> ActivationResult:
        if not customer.activation:
            params = customer.params("counter-0", request=f"r-{customer.index}")
            customer.activation = client.call(ACTIVATION_START, params).activation
        while True:
            view = client.call(ACTIVATION_GET, ActivationIdParams(activation=customer.activation))
            if view.state in ENDS or time.monotonic() > end:
                return view
            self._act(client, customer, view)
            time.sleep(_LOOK_S)

    def _act(self, client: Client, customer: Customer, view: ActivationResult) -> None:
        prompt = view.prompt
        if prompt is not None and prompt.prompt and prompt.purpose and prompt.prompt not in self._answered:
            self._answered.add(prompt.prompt)
            customer.typed[prompt.purpose] += 1
            # it may be closed in this very moment
            with contextlib.suppress(CallError):
                client.call(PROMPT_ANSWER, PromptAnswerParams(prompt=prompt.prompt, pin=DIGITS[prompt.purpose]))
        wanted = _WANTED.get(view.state)
        if wanted is not None:
            self._offer("old" if wanted == "old" else "social", customer)

    def _offer(self, name: str, customer: Customer) -> None:
        card = customer.old if name == "old" else customer.social
        if self._inside is card and time.monotonic() - self._put_at > _PATIENCE_S:
            self.take()
        if self._inside is not card:
            self.take()
            self.slots.insert(FRONT, self.points.card(name, card))
            self._inside, self._put_at = card, time.monotonic()

    def take(self) -> None:
        """Have no card in the reader."""
        if self._inside is not None:
            self._inside = None
            self.slots.remove(FRONT)

    # -- what is on record, with the daemon dead

    def centre_says(self) -> Centre:
        return Centre.read(self.directory / "centre.sqlite")

    def journal_says(self) -> list[Told]:
        """Return the events of an export that was verified; the daemon must not run."""
        export = self.directory / "export.jsonl"
        for words in (["export", "--config", "cardd.yaml", "--output", str(export)], ["verify", str(export)]):
            done = subprocess.run(
                [program("cardd"), "journal", *words], cwd=self.directory, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
        return [told for line in export.read_bytes().splitlines() if (told := _told(line))]


_WANTED: Final[Mapping[State, str]] = MappingProxyType(
    {State.WAITING_OLD_CARD: "old", State.WAITING_SOCIAL_CARD: "social", State.WAITING_SAME_CARD: "social"}
)


class _Public(msgspec.Struct):
    sequence: int
    type: str
    data: dict[str, Any]
    correlation: str | None = None


class _Line(msgspec.Struct):
    event: _Public | None = None


def _told(line: bytes) -> Told | None:
    event = msgspec.json.decode(line, type=_Line).event
    if event is None:
        return None
    return Told(event.sequence, event.type, event.correlation, event.data)
