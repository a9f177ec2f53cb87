"""Reader slots in memory that do what a test tells them, with real threads around them, and a clock that is moved."""

import asyncio
import heapq
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from queue import SimpleQueue
from typing import Self

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.iso7816.device import Observation, Observer, Presence, Slot, Slots, Transport
from cardd.readers.config import ReaderConfig, ReaderMatch, StationConfig
from cardd.readers.facts import CardInserted, CardRemoved, Fact
from cardd.readers.insertion import Insertion
from cardd.readers.registry import Readers
from support.waiting import comes_true

OK = b"\x90\x00"


class Timer:
    def __init__(self, due: float, callback: Callable[[], None]) -> None:
        self.due = due
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class ManualClock:
    """Time stands still until a test moves it."""

    def __init__(self) -> None:
        self._seconds = 1000.0
        self._order = count()
        self._timers: list[tuple[float, int, Timer]] = []

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self._seconds)

    def monotonic(self) -> float:
        return self._seconds

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        timer = Timer(self._seconds + seconds, callback)
        heapq.heappush(self._timers, (timer.due, next(self._order), timer))
        return timer

    def advance(self, seconds: float) -> None:
        """Move the time on and call what falls due, in order. Event loop's thread only."""
        end = self._seconds + seconds
        while self._timers and self._timers[0][0] <= end:
            due, _, timer = heapq.heappop(self._timers)
            self._seconds = max(self._seconds, due)
            if timer.callback is not None:
                timer.callback()
        self._seconds = end


@dataclass(eq=False)
class Card:
    """A card that answers every command with 9000, unless told otherwise. `commands` is what reached it."""

    atr: bytes
    answer: Callable[[bytes], bytes] = lambda _command: OK
    commands: list[bytes] = field(default_factory=list)


class Gate:
    """A place at which a thread stops until the gate opens: a call that does not return."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._open = threading.Event()

    def open(self) -> None:
        self._open.set()

    def __call__(self) -> None:
        self.reached.set()
        if not self._open.wait(20):
            raise AssertionError("nobody opened the gate")


Step = CarddError | Gate


@dataclass
class Bay:
    """One slot: what lies in it, what the next calls do."""

    card: Card | None = None
    presence: Presence | None = None
    counter: int = 0
    in_use: bool = False
    serial: str | None = None
    usb: str | None = None
    on_connect: deque[Step] = field(default_factory=deque)
    on_transmit: deque[Step] = field(default_factory=deque)
    on_begin: deque[Step] = field(default_factory=deque)
    on_disconnect: deque[Step] = field(default_factory=deque)
    keypad: Callable[[int, bytes], bytes] | None = None
    connections: int = 0
    open_now: int = 0
    disconnects: list[bool] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def shown(self, name: str) -> Slot:
        presence = self.presence or (Presence.PRESENT if self.card else Presence.EMPTY)
        atr = self.card.atr if self.card and presence is Presence.PRESENT else b""
        return Slot(name, presence, self.counter, atr, self.in_use, self.serial, self.usb)


class ScriptedConnection:
    """A handle as pcscd gives it: after an unseen exchange one call fails, then the new card answers on it."""

    def __init__(self, bay: Bay, card: Card) -> None:
        self._bay = bay
        self._card = card
        self.atr = card.atr
        self.transport = Transport.T1

    def transmit(self, command: bytes) -> bytes:
        _step(self._bay.on_transmit)
        if self._bay.card is not self._card:
            if self._bay.card is None:
                raise CarddError(Reason.CARD_REMOVED)
            self._card = self._bay.card
            raise CarddError(Reason.CARD_REMOVED)
        self._card.commands.append(command)
        return self._card.answer(command)

    def control(self, code: int, data: bytes) -> bytes:
        if self._bay.keypad is None:
            raise CarddError(Reason.INVALID, f"no control {code} {len(data)}")
        return self._bay.keypad(code, data)

    def begin(self) -> None:
        self._bay.calls.append("begin")
        _step(self._bay.on_begin)

    def end(self, *, reset: bool = False) -> None:
        self._bay.calls.append("end with reset" if reset else "end")

    def disconnect(self, *, reset: bool) -> None:
        _step(self._bay.on_disconnect)
        self._bay.open_now -= 1
        self._bay.disconnects.append(reset)


def _step(script: deque[Step]) -> None:
    if not script:
        return
    step = script.popleft()
    if isinstance(step, CarddError):
        raise step
    step()


class ScriptedWatch:
    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        threading.Thread(target=self._main, name="scripted watch", daemon=True).start()

    def _main(self) -> None:
        while (task := self._queue.get()) is not None:
            task()

    def tell(self, observation: Observation) -> None:
        self._queue.put(lambda: self._observer(observation))

    def mark(self) -> threading.Event:
        """Return what is set when everything so far was told."""
        told = threading.Event()
        self._queue.put(told.set)
        return told

    def close(self) -> None:
        self._queue.put(None)


class ScriptedBackend:
    """Slots by name. Nothing is observed until `look` or `tell`."""

    def __init__(self, *names: str) -> None:
        self.bays = {name: Bay() for name in names}
        self._watch: ScriptedWatch | None = None

    def watch(self, observer: Observer) -> ScriptedWatch:
        self._watch = ScriptedWatch(observer)
        self.look()
        return self._watch

    def connect(self, slot: str, *, exclusive: bool) -> ScriptedConnection:
        bay = self.bays[slot]
        bay.calls.append("connect exclusive" if exclusive else "connect shared")
        _step(bay.on_connect)
        if bay.card is None:
            raise CarddError(Reason.NO_CARD)
        assert bay.open_now == 0, "a card was connected twice"
        bay.connections += 1
        bay.open_now += 1
        return ScriptedConnection(bay, bay.card)

    def put(self, name: str, card: Card) -> None:
        """Lay a card into a slot, in the place of any other, unseen as yet."""
        bay = self.bays[name]
        bay.counter += 2 if bay.card else 1
        bay.card = card
        bay.presence = None

    def take(self, name: str) -> None:
        bay = self.bays[name]
        bay.counter += 1 if bay.card else 0
        bay.card = None
        bay.presence = None

    def seen(self) -> Slots:
        return Slots(tuple(bay.shown(name) for name, bay in self.bays.items()))

    def look(self) -> None:
        self.tell(self.seen())

    def tell(self, observation: Observation) -> None:
        assert self._watch is not None
        self._watch.tell(observation)

    def mark(self) -> threading.Event:
        assert self._watch is not None
        return self._watch.mark()


class Watchful(ScriptedBackend):
    """One that knows who is at a card, and says so when `answer` lets it."""

    def __init__(self, *names: str) -> None:
        super().__init__(*names)
        self.answer: Gate | None = None

    def in_the_way(self, slot: str) -> CarddError:
        if self.answer is not None:
            self.answer()
        return CarddError(Reason.READER_IN_USE, f"others are at {slot}", programs="till (7)")


class Rig:
    """Readers on scripted slots, with everything they told."""

    def __init__(
        self, backend: ScriptedBackend, stations: tuple[StationConfig, ...] = (), *, exclusive: bool = True
    ) -> None:
        self.backend = backend
        self.clock = ManualClock()
        self.facts: list[Fact] = []
        rules = tuple(ReaderConfig(ReaderMatch(name=name)) for name in backend.bays)
        stations = stations or (StationConfig("desk", readers=rules),)
        self.readers = Readers(backend, stations, clock=self.clock, boot=7, exclusive=exclusive)
        self.readers.subscribe(self.facts.append)

    async def __aenter__(self) -> Self:
        self.readers.start()
        await self.until(lambda: bool(self.readers.views()) or not self.backend.bays)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.readers.close()

    async def until(self, condition: Callable[[], bool], what: str = "the condition") -> None:
        """Let the threads run until something is so. Real time; the test's own clock stands still."""
        await comes_true(condition, what)

    async def insert(self, name: str, card: Card) -> Insertion:
        """Put a card in, have it seen, and return its insertion."""
        self.backend.put(name, card)
        before = self.readers.insertion_in(name)
        self.backend.look()
        await self.until(lambda: self.readers.insertion_in(name) not in {None, before}, "an insertion")
        insertion = self.readers.insertion_in(name)
        assert insertion is not None
        return insertion

    async def remove(self, name: str) -> None:
        self.backend.take(name)
        self.backend.look()
        await self.until(lambda: self.readers.insertion_in(name) is None, "the insertion's end")

    async def seen(self) -> None:
        """Have the slots looked at and wait until everything that was observed so far has been told."""
        self.backend.look()
        await self.drained()

    async def drained(self) -> None:
        """Wait until everything that was observed so far has been told."""
        await self.until(self.backend.mark().is_set, "all that was observed")
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    def told(self, *kinds: type[Fact]) -> list[Fact]:
        return [fact for fact in self.facts if isinstance(fact, kinds)]

    @property
    def stays(self) -> list[tuple[str, str]]:
        """What was told of insertions: `("in", id)` and `(cause, id)`."""
        told: list[tuple[str, str]] = []
        for fact in self.facts:
            if isinstance(fact, CardInserted):
                told.append(("in", fact.insertion.id))
            elif isinstance(fact, CardRemoved):
                told.append((str(fact.cause), fact.insertion.id))
        return told
