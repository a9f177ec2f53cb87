"""An engine with the real journal and the real register, over cards and readers that do what a test tells them."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from cardd.activation.authority import (
    ActivationRequest,
    IdentityDocument,
    OldCardStanding,
    PasswordAnswer,
    Prospect,
    SocialCard,
    Updates,
    Verdict,
)
from cardd.activation.engine import Engine
from cardd.activation.facts import CardGone, CardIn, CardTrouble
from cardd.activation.policy import Policy
from cardd.activation.ports import KeysChanged, Notice, SocialReading, StationReader
from cardd.activation.register import LocalRegister
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.crypto.sealing import Sm4GcmSealer
from cardd.crypto.signing import Ed25519Signer
from cardd.journal.events import ActivationRow, NewEvent, StoredEvent
from cardd.journal.heads import Notary, Place
from cardd.journal.store import Journal, Keeping
from cardd.wire.activation import ActivationResult, ActivationStartParams, Route, State
from cardd.wire.cards import Kind
from cardd.wire.incident import CardWork
from support.readers import ManualClock

JIA = SocialCard(
    number="A00000012",
    identification_code="510100AABBCCDD01",
    region="510100",
    social_security_number="510101190001010012",
    name="测试甲",
)
YI = SocialCard(
    number="B00000025",
    identification_code="510100AABBCCDD02",
    region="510100",
    social_security_number="510101190002020025",
    name="测试乙",
)
BING = SocialCard(
    number="C00000031",
    identification_code="510100AABBCCDD03",
    region="510100",
    social_security_number="510101190003030031",
    name="测试丙",
)
OLD_JIA, OLD_YI, OLD_BING = "10000001", "10000002", "10000003"
PASSWORD = "246813"  # noqa: S105 - invented
PIN = "135792"
_TRIES = 1000
_TURNS = 25
"""Turns of the event loop in which nothing begins: then nothing will."""

REGISTER = f"""
region: "510100"
people:
  - social_security_number: "{JIA.social_security_number}"
    name: {JIA.name}
    cards: [{{number: {JIA.number}, identification_code: {JIA.identification_code}}}]
    old_cards: [{{number: "{OLD_JIA}"}}]
  - social_security_number: "{YI.social_security_number}"
    name: {YI.name}
    cards: [{{number: {YI.number}}}]
    old_cards: [{{number: "{OLD_YI}", password: "{PASSWORD}", password_tries: 3}}]
  - social_security_number: "{BING.social_security_number}"
    name: {BING.name}
    cards: [{{number: {BING.number}}}]
    old_cards: [{{number: "{OLD_BING}"}}]
    updates: {{SSSEEF05: {{"06": "20400101"}}}}
"""


class FakeCounter:
    """Two stations. Cards lie where the test puts them; work on them fails as the test says."""

    def __init__(self) -> None:
        self.present: dict[str, CardIn] = {}
        self.social: dict[str, SocialCard] = {}
        self.failures: dict[str, list[CarddError]] = {}
        self.gates: dict[str, asyncio.Event] = {}
        self.written: list[Updates] = []
        self.pins: list[bytes] = []
        self.changed: list[tuple[bytes, bytes]] = []
        self.reloaded: list[bytes] = []
        self.tries: int | None = 6
        self.reserved: dict[str, str] = {}
        self._listeners: list[Callable[[Notice], None]] = []
        self._inserted = 0

    def put_old(self, number: str, station: str = "counter-1", *, at_start: bool = False) -> str:
        return self._put(CardIn(self._name(), station, Kind.MEDICAL_INSURANCE, number, at_start=at_start))

    def put_social(self, card: SocialCard, station: str = "counter-1") -> str:
        name = self._name()
        self.social[name] = card
        code = card.identification_code
        return self._put(CardIn(name, station, Kind.SOCIAL_SECURITY, card.number, code))

    def put_other(self, kind: Kind, station: str = "counter-1") -> str:
        return self._put(CardIn(self._name(), station, kind))

    def trouble(self, reason: Reason, station: str = "counter-1") -> None:
        self._tell(CardTrouble(station, reason))

    def pull(self, insertion: str) -> None:
        card = self.present.pop(insertion)
        self._tell(CardGone(insertion, card.station))

    def put_psam(self) -> None:
        self._tell(KeysChanged())

    def fail(self, operation: str, reason: Reason, *, tries_left: int | None = None) -> None:
        """Let the operation fail the next time. CARD_REMOVED takes the card away as well."""
        error = CarddError(reason) if tries_left is None else CarddError(reason, tries_left=tries_left)
        self.failures.setdefault(operation, []).append(error)

    def hold(self, operation: str) -> asyncio.Event:
        """Let an operation wait for the event that is returned."""
        return self.gates.setdefault(operation, asyncio.Event())

    def stations(self) -> Sequence[str]:
        return ["counter-1", "counter-2"]

    def station_of(self, reader: str) -> str | None:
        return {"front": "counter-1"}.get(reader)

    def readers(self, station: str) -> Sequence[StationReader]:
        return [StationReader("front")] if station == "counter-1" else []

    def has_module(self) -> bool:
        return True

    def keys(self) -> str:
        return "software"

    def take_work(self, station: str) -> CardWork | None:
        assert station in self.stations()
        return None

    def reserve(self, station: str, holder: str) -> None:
        if self.reserved.setdefault(station, holder) != holder:
            raise CarddError(Reason.BUSY)

    def release(self, station: str, holder: str) -> None:
        if self.reserved.get(station) == holder:
            del self.reserved[station]

    def cards(self, station: str) -> Sequence[CardIn]:
        return [card for card in self.present.values() if card.station == station]

    def subscribe(self, listener: Callable[[Notice], None]) -> None:
        self._listeners.append(listener)

    async def read_old(self, insertion: str, *, timeout_s: float) -> str:
        await self._operate("read_old", insertion)
        number = self.present[insertion].number
        assert number is not None
        assert timeout_s > 0
        return number

    async def read_social(self, insertion: str, *, timeout_s: float) -> SocialReading:
        await self._operate("read_social", insertion)
        assert timeout_s > 0
        return SocialReading(self.social[insertion], "00" * 16, "11" * 8)

    async def verify_pin(self, insertion: str, pin: Secret, *, timeout_s: float) -> None:
        await self._operate("verify_pin", insertion)
        assert timeout_s > 0
        self.pins.append(pin.reveal())

    async def change_pin(self, insertion: str, old: Secret, new: Secret, *, timeout_s: float) -> None:
        await self._operate("change_pin", insertion)
        assert timeout_s > 0
        self.changed.append((old.reveal(), new.reveal()))

    async def reload_pin(self, insertion: str, new: Secret, *, timeout_s: float) -> None:
        await self._operate("reload_pin", insertion)
        assert timeout_s > 0
        self.reloaded.append(new.reveal())

    async def pin_tries(self, insertion: str, *, timeout_s: float) -> int | None:
        await self._operate("pin_tries", insertion)
        assert timeout_s > 0
        return self.tries

    async def write(self, insertion: str, updates: Updates, *, timeout_s: float) -> None:
        await self._operate("write", insertion)
        assert timeout_s > 0
        self.written.append(updates)

    async def _operate(self, operation: str, insertion: str) -> None:
        if operation in self.gates:
            await self.gates[operation].wait()
        waiting = self.failures.get(operation)
        if waiting:
            error = waiting.pop(0)
            if error.reason is Reason.CARD_REMOVED:
                self.present.pop(insertion)
            raise error
        if insertion not in self.present:
            raise CarddError(Reason.CARD_REMOVED)

    def _name(self) -> str:
        self._inserted += 1
        return f"1-{self._inserted}"

    def _put(self, card: CardIn) -> str:
        self.present[card.insertion] = card
        self._tell(card)
        return card.insertion

    def _tell(self, notice: Notice) -> None:
        for listener in self._listeners:
            listener(notice)


class Underway:
    """Counts what is with another thread: commits of the journal, questions to the register."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        self.begun += 1
        try:
            yield
        finally:
            self.ended += 1

    async def rest(self) -> None:
        """Return when nothing is under way, and nothing new begins."""
        turns, seen = 0, self.begun
        while turns < _TURNS:
            waiting = self.begun != self.ended
            await asyncio.sleep(0.001 if waiting else 0)
            turns, seen = (0, self.begun) if waiting or self.begun != seen else (turns + 1, seen)


class WatchedJournal:
    """The journal as the engine sees it; tells what is under way."""

    def __init__(self, journal: Journal, underway: Underway) -> None:
        self._journal = journal
        self._underway = underway

    @property
    def stream(self) -> str:
        return self._journal.stream

    @property
    def last(self) -> int:
        return self._journal.last

    def vouch(self) -> Place:
        return self._journal.vouch()

    def record(
        self, *events: NewEvent, activation: ActivationRow | None = None
    ) -> "asyncio.Future[tuple[StoredEvent, ...]]":
        commit = self._journal.record(*events, activation=activation)
        under = ExitStack()
        under.enter_context(self._underway.one())
        commit.add_done_callback(lambda _: under.close())
        return commit

    async def activation_begun(self, client: str, request: str) -> str | None:
        return await self._journal.activation_begun(client, request)

    async def activation(self, activation_id: str) -> ActivationRow | None:
        with self._underway.one():
            return await self._journal.activation(activation_id)

    async def activations(self, *, open_only: bool, limit: int | None = 100) -> list[ActivationRow]:
        with self._underway.one():
            return await self._journal.activations(open_only=open_only, limit=limit)


class Line:
    """The way to the register, which a test can cut: before it (`deaf`), or after it (`mute`)."""

    def __init__(self, register: LocalRegister, underway: Underway) -> None:
        self.register = register
        self.underway = underway
        self.deaf: set[str] = set()
        self.mute: set[str] = set()
        self.gates: dict[str, asyncio.Event] = {}
        self.asked: list[str] = []
        self.requests: list[ActivationRequest] = []

    def mend(self) -> None:
        """Let everything be heard again."""
        self.deaf.clear()
        self.mute.clear()

    def hold(self, question: str) -> asyncio.Event:
        """Let a question wait for the event that is returned."""
        return self.gates.setdefault(question, asyncio.Event())

    async def _ask(self, name: str) -> None:
        self.asked.append(name)
        if name in self.gates:
            await self.gates[name].wait()
        if name in self.deaf:
            raise CarddError(Reason.AUTHORITY_UNAVAILABLE)

    def _answer(self, name: str) -> None:
        if name in self.mute:
            raise CarddError(Reason.AUTHORITY_UNAVAILABLE)

    async def look_up_old_card(self, number: str) -> OldCardStanding:
        await self._ask("look_up_old_card")
        with self.underway.one():
            return await self.register.look_up_old_card(number)

    async def verify_old_password(self, key: str, number: str, password: Secret) -> PasswordAnswer:
        await self._ask("verify_old_password")
        with self.underway.one():
            return await self.register.verify_old_password(key, number, password)

    async def look_up_social_card(
        self, card: SocialCard, old_card: str | None, document: IdentityDocument | None
    ) -> Prospect:
        await self._ask("look_up_social_card")
        with self.underway.one():
            return await self.register.look_up_social_card(card, old_card, document)

    async def activate(self, request: ActivationRequest) -> Verdict:
        await self._ask("activate")
        self.requests.append(request)
        with self.underway.one():
            verdict = await self.register.activate(request)
        self._answer("activate")
        return verdict

    async def outcome(self, key: str) -> Verdict | None:
        await self._ask("outcome")
        with self.underway.one():
            return await self.register.outcome(key)

    async def report_update(self, key: str, *, written: bool) -> None:
        await self._ask("report_update")
        with self.underway.one():
            await self.register.report_update(key, written=written)


@dataclass
class Bench:
    """Everything a test of the engine needs."""

    engine: Engine
    counter: FakeCounter
    line: Line
    journal: Journal
    clock: ManualClock
    events: list[StoredEvent] = field(default_factory=list)

    async def start(self, **params: Any) -> str:
        given = {"route": Route.PHARMACY, "station": "counter-1", **params}
        return await self.engine.start(msgspec.convert(given, ActivationStartParams), client="till")

    async def view(self, activation: str) -> ActivationResult:
        return await self.engine.view(activation, personal=False)

    async def until(self, activation: str, state: State, code: str | None = None) -> ActivationResult:
        """Wait until it stands there, and says that."""
        view, said, tries = await self.view(activation), None, 0
        while tries < _TRIES:
            view = await self.view(activation)
            said = view.prompt.code if view.prompt is not None else None
            if view.state is state and code in {None, said}:
                return view
            await asyncio.sleep(0.002)
            tries += 1
        raise AssertionError(f"stands at {view.state}, says {said}, not {state} {code}")

    async def settle(self) -> None:
        """Let everything that is under way come to rest."""
        await self.line.underway.rest()

    async def type(self, activation: str, digits: str) -> None:
        """Answer the prompt that is open, once there is one."""
        for _ in range(_TRIES):
            prompt = (await self.view(activation)).prompt
            if prompt is not None and prompt.prompt is not None:
                await self.engine.answer(prompt.prompt, Secret(digits.encode()))
                return
            await asyncio.sleep(0.002)
        raise AssertionError("nobody asks for anything")

    def types(self) -> list[str]:
        return [event.type for event in self.events]

    def data(self, kind: str) -> list[dict[str, Any]]:
        return [json.loads(event.data) for event in self.events if event.type == kind]

    def steps(self) -> list[tuple[str, str]]:
        return [(data["state"], data["prompt"]["code"]) for data in self.data("activation.step")]


@asynccontextmanager
async def bench(
    directory: Path,
    policy: Policy | None = None,
    *,
    counter: FakeCounter | None = None,
    cut: Iterable[str] = (),
    later_s: float = 0.0,
    clock: ManualClock | None = None,
) -> AsyncIterator[Bench]:
    """Open journal, register and engine in a directory; opening it again is a restart.

    `cut` questions go unheard; `later_s` is how much later than usual the clock begins.
    """
    people = directory / "register.yaml"
    people.write_text(REGISTER, encoding="utf-8")
    clock = clock or ManualClock()
    clock.advance(later_s)
    sealer = Sm4GcmSealer(Secret(b"0123456789ABCDEF"))
    keeping = Keeping(notary=Notary(Ed25519Signer(Secret(bytes(range(32)))), clock))
    journal = Journal.open(directory / "journal", sealer=sealer, clock=clock, source="test", keeping=keeping)
    register = LocalRegister.open(directory / "register.sqlite", people, clock=clock)
    underway = Underway()
    line, counter = Line(register, underway), counter or FakeCounter()
    line.deaf.update(cut)
    engine = Engine(
        counter, line, WatchedJournal(journal, underway), policy=policy or Policy(), clock=clock, terminal="test"
    )
    made = Bench(engine, counter, line, journal, clock)
    journal.subscribe(made.events.extend)
    try:
        await engine.recover()
        yield made
    finally:
        await engine.close()
        await journal.close()
        register.close()
