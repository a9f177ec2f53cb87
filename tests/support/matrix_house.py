"""The whole daemon in this process, on slots that need no pcscd, with an authority and clocks that fail to order."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, TypeVar
from unittest.mock import create_autospec, patch

import yaml
from msgspec.structs import replace

from cardd import daemon as composition
from cardd.activation.authority import ActivationRequest, Authority, SocialCard
from cardd.activation.engine import Engine
from cardd.activation.policy import Backoff
from cardd.base.clock import SystemClock, TimerHandle
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.config import load_config
from cardd.desk.reception import Reception
from cardd.journal.events import StoredEvent
from cardd.journal.store import Journal
from cardd.logs import Logs
from cardd.service import Standing
from cardd.wire.cards import ReaderView
from cardsim.links.inprocess import InProcessBackend
from support.matrix_cards import Plastic
from support.waiting import comes_true

T = TypeVar("T")

MODULE: Final = "sam"
_BACKOFF: Final = Backoff(first_s=0.02, most_s=0.1)
_READY_S: Final = 20.0


class Fault(StrEnum):
    """What can be wrong with one answer of the authority."""

    DEAF = "deaf"
    """It cannot be reached: nothing is done."""
    MUTE = "mute"
    """It has done what it was asked, and the answer is lost."""
    SLOW = "slow"
    """It has done what it was asked, and answers after everybody has given up."""
    STUCK = "stuck"
    """It takes the question, and neither does anything nor answers."""
    BROKEN = "broken"
    """Something breaks on our side of the line, with no error that anybody has foreseen."""
    TWICE = "twice"
    """The question is delivered twice."""


class Line:
    """The way to the authority. `plan` says what is wrong with a call, by its name and whom or what it is about."""

    def __init__(self, authority: Authority, *, slow_s: float) -> None:
        self._authority = authority
        self._slow_s = slow_s
        self.calls: list[tuple[str, str]] = []
        self.plan: Callable[[str, str], Fault | None] = lambda _name, _subject: None
        self.asking: Callable[[str, str], Awaitable[None]] = _nothing
        """Done before a question reaches it."""
        self.answering: Callable[[str, str], Awaitable[None]] = _nothing
        """Done when it has carried a question out, before its answer arrives."""

    def __getattr__(self, name: str) -> Callable[..., Awaitable[object]]:
        method = getattr(self._authority, name)

        async def call(*args: object, **kwargs: object) -> object:
            subject = _subject(args[0])
            self.calls.append((name, subject))
            fault = self.plan(name, subject)
            if fault is None:
                await self.asking(name, subject)
                answer = await method(*args, **kwargs)
                await self.answering(name, subject)
                return answer
            return await self._fail(fault, lambda: method(*args, **kwargs))

        return call

    async def _fail(self, fault: Fault, ask: Callable[[], Awaitable[T]]) -> T:
        match fault:
            case Fault.DEAF:
                raise CarddError(Reason.AUTHORITY_UNAVAILABLE)
            case Fault.MUTE:
                await ask()
                raise CarddError(Reason.AUTHORITY_UNAVAILABLE)
            case Fault.SLOW:
                answer = await ask()
                await asyncio.sleep(self._slow_s)
                return answer
            case Fault.STUCK:
                await asyncio.Event().wait()
                raise AssertionError
            case Fault.BROKEN:
                raise ValueError("510101190001010012 is nothing that a log may hold")
            case Fault.TWICE:
                await ask()
                return await ask()


async def _nothing(_name: str, _subject: str) -> None:
    """Do nothing."""


def _subject(first: object) -> str:
    """Return what a call is about: an activation's key, an old card's number, or a holder's number."""
    match first:
        case SocialCard():
            return first.social_security_number
        case ActivationRequest():
            return first.key
        case _:
            return str(first)


class WallClock(SystemClock):
    """The machine's clock, whose time of day can be set (`offset`), and which can be made to `leap`."""

    def __init__(self) -> None:
        self.offset = timedelta()
        self._leapt = 0.0
        self._timers: list[_Timer] = []

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset + timedelta(seconds=self._leapt)

    def monotonic(self) -> float:
        return super().monotonic() + self._leapt

    def call_later(self, seconds: float, callback: Callable[[], None]) -> TimerHandle:
        handle = super().call_later(seconds, callback)
        self._timers = [timer for timer in self._timers if timer.due > self.monotonic()]
        self._timers.append(_Timer(self.monotonic() + seconds, handle, callback))
        return handle

    def leap(self, seconds: float) -> None:
        """Let so much time have passed at once; what was due in it is called. The loop's thread."""
        self._leapt += seconds
        due = sorted((timer for timer in self._timers if timer.due <= self.monotonic()), key=attrgetter("due"))
        for timer in due:
            if isinstance(timer.handle, asyncio.TimerHandle) and not timer.handle.cancelled():
                timer.handle.cancel()
                timer.callback()


@dataclass(frozen=True)
class _Timer:
    due: float
    handle: TimerHandle
    callback: Callable[[], None]


@dataclass
class House:
    """One state directory with its slots. `begin` and `end` may take turns; cards stay in their slots meanwhile."""

    directory: Path
    stations: int
    activation: dict[str, object] = field(default_factory=dict)
    authority_s: float = 5.0
    settings: dict[str, object] = field(default_factory=dict)
    """Replaces whole top-level keys of the configuration."""
    backend: InProcessBackend = field(default_factory=InProcessBackend)
    clock: WallClock = field(default_factory=WallClock)
    events: list[StoredEvent] = field(default_factory=list)
    """What a subscriber of the journal was told, over all beginnings."""
    inside: dict[str, Plastic] = field(default_factory=dict)

    engine: Engine = field(init=False)
    journal: Journal = field(init=False)
    line: Line = field(init=False)
    _reception: Reception = field(init=False)
    _daemon: composition.Daemon | None = None

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        for slot in (*map(self.slot, range(self.stations)), MODULE):
            self.backend.add_slot(slot)
        self.module = Plastic("psam")
        self.put(MODULE, self.module)
        (self.directory / "cardd.yaml").write_text(yaml.safe_dump(self._config()), encoding="utf-8")

    def _config(self) -> dict[str, object]:
        # a report whose question hangs is asked anew before it is given up
        deadlines = {"authority_s": self.authority_s, "confirming": self.authority_s * 2.2}
        activation = {"pin_policy": "verify", "routes": ["pharmacy", "hospital", "bank"], **self.activation}
        given = activation.get("deadlines")
        activation["deadlines"] = {**deadlines, **(given if isinstance(given, dict) else {})}
        rows: list[dict[str, object]] = [
            {
                "name": self.station(number),
                "readers": [{"match": {"name": self.slot(number)}, "name": f"reader-{number}"}],
            }
            for number in range(self.stations)
        ]
        rows.append({"name": "back-room", "readers": [{"match": {"name": MODULE}, "role": "sam"}]})
        return {
            "socket": {"path": "cardd.sock"},
            "state_dir": "state",
            "stations": rows,
            "authority": {"provider": "local", "register": "people.yaml"},
            "activation": activation,
            **self.settings,
        }

    def station(self, number: int) -> str:
        return f"counter-{number}"

    def slot(self, number: int) -> str:
        return f"front {number}"

    @property
    def register(self) -> Path:
        return self.directory / "state" / "register.sqlite"

    # -- life

    async def begin(self) -> None:
        """Start the daemon; return when it knows the module."""

        def engine(counter: Any, authority: Authority, journal: Journal, **options: Any) -> Engine:
            self.line = Line(authority, slow_s=self.authority_s * 1.5)
            self.journal, self._reception = journal, counter._reception
            journal.subscribe(self.events.extend)
            policy = replace(options.pop("policy"), backoff=_BACKOFF)
            self.engine = Engine(counter, self.line, journal, policy=policy, **options)  # type: ignore[arg-type] # by name
            return self.engine

        logs = create_autospec(Logs, instance=True)
        logs.writes.return_value = False
        config = load_config(self.directory / "cardd.yaml")
        with patch.object(composition, "Engine", engine):
            self._daemon = await composition.Daemon.start(
                config, logs, Standing(), clock=self.clock, backend=self.backend
            )
        await comes_true(lambda: self.told("card.inserted", self._since("service.started")), "the module", _READY_S)

    def _since(self, kind: str) -> int:
        return next((n for n, event in reversed(list(enumerate(self.events))) if event.type == kind), 0)

    async def end(self) -> None:
        """Stop the daemon as a service manager does."""
        daemon, self._daemon = self._daemon, None
        if daemon is not None:
            await daemon.stop()

    async def crash(self) -> None:
        """Stop it without a word: from this moment on nothing of it gets into the journal."""
        daemon, self._daemon = self._daemon, None
        if daemon is not None:
            await daemon.abandon()

    # -- hands

    def put(self, slot: str, card: Plastic) -> None:
        """Have this card in a slot and no other."""
        if self.inside.get(slot) is card:
            return
        self.take(slot)
        self.inside[slot] = card
        self.backend.insert(slot, card)

    def take(self, slot: str) -> None:
        """Take out what is in a slot."""
        if self.inside.pop(slot, None) is not None:
            self.backend.remove(slot)

    # -- eyes

    def told(self, kind: str, after: int = 0) -> list[dict[str, Any]]:
        """Return the data of the events of a kind."""
        return [json.loads(event.data) for event in self.events[after:] if event.type == kind]

    def readers(self) -> Sequence[ReaderView]:
        """Return the readers as the daemon has them now."""
        return self._reception.readers()

    def of(self, activation: str) -> Sequence[StoredEvent]:
        """Return the events of one activation."""
        return [event for event in self.events if event.correlation == activation]
