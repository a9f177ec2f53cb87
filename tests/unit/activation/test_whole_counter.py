"""The engine over the real readers, reception, desk, PSAM and journal; only the cards are virtual."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support.far_keys import FarKeys

import cardsim
from cardd.activation.counter import DeskCounter
from cardd.activation.engine import Engine
from cardd.activation.pins import PinPolicy
from cardd.activation.policy import Policy
from cardd.activation.register import LocalRegister
from cardd.base.clock import SystemClock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.crypto.sealing import Sm4GcmSealer
from cardd.desk.reception import Reception
from cardd.desk.stopped import StoppedKeys
from cardd.journal.store import Journal
from cardd.keys.psam import PsamKeys
from cardd.keys.service import KeyService
from cardd.keys.software import SoftwareKeys
from cardd.readers.config import ReaderConfig, ReaderMatch, Role, StationConfig
from cardd.readers.registry import Readers
from cardd.rules.keys import KeyName
from cardd.wire.activation import ActivationResult, ActivationStartParams, Outcome, Route, State
from cardsim.card.base import VirtualCard
from cardsim.card.make import make_card
from cardsim.links.inprocess import InProcessBackend
from cardsim.persona import load_persona

pytestmark = pytest.mark.asyncio

SHIPPED = Path(next(iter(cardsim.__path__))) / "register.yaml"
STATIONS = [
    StationConfig(
        "counter-1",
        readers=(
            ReaderConfig(ReaderMatch(name="front"), Role.COUNTER, "front"),
            ReaderConfig(ReaderMatch(name="sam"), Role.SAM, "sam"),
        ),
    )
]


@dataclass
class Whole:
    slots: InProcessBackend
    engine: Engine
    register: LocalRegister
    cards: dict[str, VirtualCard] = field(default_factory=dict)

    def insert(self, slot: str, persona: str) -> None:
        """Put a persona's one card in."""
        if persona not in self.cards:
            self.cards[persona] = make_card(load_persona(persona))
        self.slots.insert(slot, self.cards[persona])

    async def until(self, activation: str, *states: State) -> ActivationResult:
        view = await self.engine.view(activation, personal=True)
        for _ in range(2000):
            view = await self.engine.view(activation, personal=True)
            if view.state in states:
                return view
            await asyncio.sleep(0.005)
        raise AssertionError(f"stands at {view.state}: {view.text}")

    async def until_said(self, activation: str, code: str) -> None:
        said: list[str | None] = []
        for _ in range(1000):
            prompt = (await self.engine.view(activation, personal=False)).prompt
            said.append(None if prompt is None else prompt.code)
            if said[-1] == code:
                return
            await asyncio.sleep(0.005)
        raise AssertionError(f"said {dict.fromkeys(said)}, never {code}")

    async def hand_over(self, old: str, new: str) -> str:
        activation = await self.engine.start(ActivationStartParams(route=Route.PHARMACY), client="till")
        self.insert("front", old)
        view = await self.until(activation, State.WAITING_SOCIAL_CARD, State.WAITING_OLD_PASSWORD)
        if view.prompt is not None and view.prompt.prompt is not None:
            await self.engine.answer(view.prompt.prompt, Secret(b"123456"))
            await self.until(activation, State.WAITING_SOCIAL_CARD)
        self.slots.remove("front")
        self.insert("front", new)
        return activation


@asynccontextmanager
async def whole(
    directory: Path,
    policy: Policy | None = None,
    *,
    psam: bool = True,
    people: Path = SHIPPED,
    machine: KeyService | None = None,
) -> AsyncIterator[Whole]:
    clock = SystemClock()
    journal = Journal.open(directory / "j", sealer=Sm4GcmSealer(Secret(bytes(16))), clock=clock, source="test")
    register = LocalRegister.open(directory / "register.sqlite", people, clock=clock)
    slots = InProcessBackend()
    for name in ("front", "sam"):
        slots.add_slot(name)
    if psam:
        slots.insert("sam", make_card(load_persona("psam")))
    readers = Readers(slots, STATIONS, clock=clock, boot=journal.boot)
    keys, stopped = machine or PsamKeys(readers), StoppedKeys()
    reception = Reception(readers, journal, keys, clock=clock)
    reception.start()
    counter = DeskCounter(readers, reception, keys, stopped, clock=clock)
    engine = Engine(counter, register, journal, policy=policy or Policy(), clock=clock, terminal="test")
    await engine.recover()
    readers.start()
    try:
        yield Whole(slots, engine, register)
    finally:
        await engine.close()
        reception.close()
        readers.close()
        await journal.close()
        register.close()


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("old-jia", "social-jia-3.0", "测试甲"),
        ("old-bing", "social-bing-2.0", "测试丙"),
        ("old-ding", "social-ding-1.0", "测试丁"),
    ],
)
async def test_a_handoff_completes(tmp_path: Path, old: str, new: str, name: str) -> None:
    async with whole(tmp_path) as w:
        activation = await w.hand_over(old, new)
        view = await w.until(activation, State.COMPLETED, State.REFUSED)
        assert view.outcome is Outcome.ACTIVATED, view.reason
        assert view.holder is not None
        assert view.holder["name"] == name


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [("old-jia", "social-yi-3.0", "OTHER_PERSON"), ("old-jia", "social-fake-3.0", "CARD_NOT_GENUINE")],
)
async def test_a_handoff_is_refused(tmp_path: Path, old: str, new: str, reason: str) -> None:
    async with whole(tmp_path) as w:
        activation = await w.hand_over(old, new)
        assert (await w.until(activation, State.COMPLETED, State.REFUSED)).reason == reason


async def test_a_card_in_use_is_already_active_though_its_old_card_is_void(tmp_path: Path) -> None:
    async with whole(tmp_path) as w:
        activation = await w.hand_over("old-wu", "social-wu-3.0")
        view = await w.until(activation, State.COMPLETED, State.REFUSED)
        assert view.outcome is Outcome.ALREADY_ACTIVE, view.reason


async def test_without_a_psam_it_pauses_and_goes_on_when_one_is_put_in(tmp_path: Path) -> None:
    async with whole(tmp_path, psam=False) as w:
        activation = await w.hand_over("old-jia", "social-jia-3.0")
        await w.until_said(activation, "PSAM_ABSENT")
        w.insert("sam", "psam")
        assert (await w.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED


async def test_without_a_security_machine_it_pauses_and_goes_on_when_that_answers_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cardd.desk.away.PAUSE_S", 0.05)
    machine = FarKeys()
    async with whole(tmp_path, psam=False, machine=machine) as w:
        activation = await w.hand_over("old-jia", "social-jia-3.0")
        await w.until_said(activation, "HSM_UNAVAILABLE")
        machine.away = False
        assert (await w.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED


async def test_a_security_machine_that_goes_away_after_the_card_is_known_is_asked_as_often_as_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cardd.desk.away.PAUSE_S", 0.05)
    machine = FarKeys()
    machine.away = False
    async with whole(tmp_path, psam=False, machine=machine) as w:
        machine.answers = 1
        activation = await w.hand_over("old-jia", "social-jia-3.0")
        for _ in range(2):
            # it answers that it is there, and fails at the card once more
            await w.until_said(activation, "HSM_UNAVAILABLE")
            machine.away = False
            asked = machine.asked
            for _ in range(500):
                if machine.asked > asked:
                    break
                await asyncio.sleep(0.01)
        machine.answers, machine.away = None, False
        assert (await w.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED


class WithoutPuk(FarKeys):
    """A security machine that goes away when the PIN is to be set."""

    def authentication_data(self, key: KeyName, *args: Any, **further: Any) -> bytes:
        if self.away and key is KeyName.PUK:
            raise CarddError(Reason.HSM_UNAVAILABLE)
        return SoftwareKeys.authentication_data(self, key, *args, **further)


async def test_a_pin_that_no_machine_could_set_is_set_when_the_machine_answers_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cardd.desk.away.PAUSE_S", 0.05)
    machine = WithoutPuk()
    async with whole(tmp_path, Policy(pin_policy=PinPolicy.TAKE_OVER), psam=False, machine=machine) as w:
        activation = await w.hand_over("old-jia", "social-jia-3.0")
        prompt = (await w.until(activation, State.WAITING_PIN)).prompt
        assert prompt is not None
        assert prompt.prompt is not None
        await w.engine.answer(prompt.prompt, Secret(b"246810"))
        await w.until_said(activation, "HSM_UNAVAILABLE")
        assert (await w.until(activation, State.WAITING_SAME_CARD)).reason is None
        machine.away = False
        assert (await w.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED


async def test_the_social_pin_is_verified_on_the_card_by_policy(tmp_path: Path) -> None:
    async with whole(tmp_path, Policy(pin_policy=PinPolicy.VERIFY)) as w:
        activation = await w.hand_over("old-jia", "social-jia-3.0")
        for digits, tries_left in ((b"999999", 6), (b"123456", 5)):
            view = await w.until(activation, State.WAITING_PIN)
            while view.prompt is None or view.prompt.prompt is None:
                await asyncio.sleep(0.01)
                view = await w.until(activation, State.WAITING_PIN)
            assert view.prompt.tries_left == tries_left
            await w.engine.answer(view.prompt.prompt, Secret(digits))
        assert (await w.until(activation, State.COMPLETED)).outcome is Outcome.ACTIVATED


async def test_records_from_the_authority_are_on_the_card_afterwards(tmp_path: Path) -> None:
    people = tmp_path / "register.yaml"
    updates = 'name: 测试甲\n    updates: {SSSEEF05: {"06": "20491231"}}'
    people.write_text(SHIPPED.read_text(encoding="utf-8").replace("name: 测试甲", updates), encoding="utf-8")
    async with whole(tmp_path, people=people) as w:
        activation = await w.hand_over("old-jia", "social-jia-3.0")
        assert (await w.until(activation, State.COMPLETED, State.REFUSED)).outcome is Outcome.ACTIVATED
        w.slots.remove("front")
        again = await w.hand_over("old-jia", "social-jia-3.0")
        view = await w.until(again, State.COMPLETED, State.REFUSED)
        assert view.outcome is Outcome.ALREADY_ACTIVE, view.reason
        assert view.card is not None
        assert view.card["valid_until"] == "2049-12-31"
