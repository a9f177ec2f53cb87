"""Whole stations against a model: clerks, holders, cards that remember, a centre, crashes, clocks that jump.

The model is what the world itself holds: the register, what each card was made to do, what was typed, and what the
journal tells. Whatever happened, they agree.
"""

import asyncio
import contextlib
import shutil
import tempfile
from collections import Counter as Count
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.activations import BING, JIA, OLD_BING, OLD_JIA, OLD_YI, PASSWORD, YI, Bench, FakeCounter, bench
from support.readers import ManualClock

from cardd.activation.authority import SocialCard, Updates
from cardd.activation.pins import PIN_RULES, PinPolicy
from cardd.activation.policy import Policy
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.wire.activation import ENDS, ActivationResult, Outcome, Route
from cardd.wire.cards import Kind

T = TypeVar("T")

INITIAL, NEW, WRONG = "123456", "864209", "000000"
STATIONS: Final = ("counter-1", "counter-2")
PEOPLE: Final = {"jia": JIA, "yi": YI, "bing": BING}
OLD: Final = {"old jia": OLD_JIA, "old yi": OLD_YI, "old bing": OLD_BING}
CARDS: Final = (*PEOPLE, *OLD, "bank")
HOUR_S: Final = 3600.0


@dataclass
class Chip:
    """A card as it is, in whatever reader it lies: its PIN, its tries, what was put on it."""

    card: SocialCard
    pin: str = INITIAL
    tries: int = 6
    verified: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    changes: int = 0
    sets: int = 0
    written: list[Updates] = field(default_factory=list)

    def present(self, pin: str) -> None:
        if self.tries == 0:
            raise CarddError(Reason.PIN_LOCKED)
        if pin != self.pin:
            self.wrong.append(pin)
            self.tries -= 1
            raise CarddError(Reason.PIN_WRONG, tries_left=self.tries) if self.tries else CarddError(Reason.PIN_LOCKED)
        self.tries = 6

    def set(self, pin: str) -> None:
        self.pin, self.tries = pin, 6
        self.sets += 1


class Counter(FakeCounter):
    """Readers with cards that remember. `tears` names the next operations whose answer is lost, done or not."""

    def __init__(self, chips: dict[str, Chip]) -> None:
        super().__init__()
        self.chips = chips
        self.tears: dict[str, bool] = {}

    async def verify_pin(self, insertion: str, pin: Secret, *, timeout_s: float) -> None:
        await super().verify_pin(insertion, pin, timeout_s=timeout_s)
        chip = self._chip(insertion)
        chip.verified.append(pin.reveal().decode())
        chip.present(chip.verified[-1])

    async def change_pin(self, insertion: str, old: Secret, new: Secret, *, timeout_s: float) -> None:
        await super().change_pin(insertion, old, new, timeout_s=timeout_s)
        chip = self._chip(insertion)
        chip.changes += 1
        if self._done("change_pin", insertion):
            chip.present(old.reveal().decode())
            chip.set(new.reveal().decode())
        self._answer("change_pin", insertion)

    async def reload_pin(self, insertion: str, new: Secret, *, timeout_s: float) -> None:
        await super().reload_pin(insertion, new, timeout_s=timeout_s)
        if self._done("reload_pin", insertion):
            self._chip(insertion).set(new.reveal().decode())
        self._answer("reload_pin", insertion)

    async def pin_tries(self, insertion: str, *, timeout_s: float) -> int | None:
        await super().pin_tries(insertion, timeout_s=timeout_s)
        return self._chip(insertion).tries

    async def write(self, insertion: str, updates: Updates, *, timeout_s: float) -> None:
        await super().write(insertion, updates, timeout_s=timeout_s)
        if self._done("write", insertion):
            self._chip(insertion).written.append(updates)
        self._answer("write", insertion)

    def _chip(self, insertion: str) -> Chip:
        return self.chips[self.social[insertion].identification_code]

    def _done(self, operation: str, _insertion: str) -> bool:
        return self.tears.get(operation, True)

    def _answer(self, operation: str, insertion: str) -> None:
        if self.tears.pop(operation, None) is not None:
            del self.present[insertion]
            raise CarddError(Reason.CARD_REMOVED)


class JumpingClock(ManualClock):
    """A time of day that is set forward and back while time itself goes on."""

    def __init__(self, offset_s: float) -> None:
        super().__init__()
        self.offset_s = offset_s

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.offset_s)


class Stations(RuleBasedStateMachine):
    """Two stations, three people, one centre."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.directory = Path(tempfile.mkdtemp(prefix="stations-"))
        self.chips = {card.identification_code: Chip(card) for card in PEOPLE.values()}
        self.counter = Counter(self.chips)
        self.typed: Count[str] = Count()
        self.heard: list[int] = []
        self.stack = AsyncExitStack()
        self.policy = Policy()
        self.b: Bench

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    async def _open(self, clock: JumpingClock) -> None:
        self.clock = clock
        opened = bench(self.directory, self.policy, counter=self.counter, clock=clock)
        self.b = await self.stack.enter_async_context(opened)

    @initialize(pins=st.fixed_dictionaries({route: st.sampled_from(PinPolicy) for route in Route}))
    def open(self, pins: dict[Route, PinPolicy]) -> None:
        pins[Route.HOSPITAL] = PinPolicy.CHANGE if pins[Route.HOSPITAL] is PinPolicy.TAKE_OVER else pins[Route.HOSPITAL]
        self.policy = Policy(pin_policies=pins)
        self.run(self._open(JumpingClock(0)))

    def teardown(self) -> None:
        try:
            if hasattr(self, "b"):
                self.run(self._close_the_day())
        finally:
            self.run(self.stack.aclose())
            self.loop.close()
            shutil.rmtree(self.directory)

    # -- clerks and holders

    @rule(station=st.sampled_from(STATIONS), route=st.sampled_from(Route), who=st.sampled_from(sorted(PEOPLE)))
    def start(self, station: str, route: Route, who: str) -> None:
        self.run(self._start(station, route, PEOPLE[who]))

    async def _start(self, station: str, route: Route, card: SocialCard) -> None:
        document = {"type": "resident", "number": card.social_security_number, "name": card.name}
        said = {"station": station, "route": route, "identity_document": document if route is Route.BANK else None}
        held = station in self.counter.reserved
        with pytest.raises(CarddError, match="BUSY") if held else contextlib.nullcontext():
            await self.b.start(**said)
        await self.b.settle()

    @rule(station=st.sampled_from(STATIONS), route=st.sampled_from(Route), who=st.sampled_from(sorted(PEOPLE)))
    def serve(self, station: str, route: Route, who: str) -> None:
        """Let a clerk do what is asked for, once: most of what follows happens in the middle of this."""
        self.run(self._serve(station, route, who))

    async def _serve(self, station: str, route: Route, who: str) -> None:
        if station not in self.counter.reserved:
            await self._start(station, route, PEOPLE[who])
        if route is Route.PHARMACY:
            await self._insert(station, f"old {who}")
            await self._answer(right=True)
        await self._insert(station, who)
        await self._answer(right=True)
        await self._answer(right=True)

    @rule(station=st.sampled_from(STATIONS), card=st.sampled_from(CARDS))
    def insert(self, station: str, card: str) -> None:
        self.run(self._insert(station, card))

    async def _insert(self, station: str, name: str) -> None:
        for insertion, inside in list(self.counter.present.items()):
            code = PEOPLE[name].identification_code if name in PEOPLE else None
            if inside.station == station or (code is not None and inside.identification_code == code):
                self.counter.pull(insertion)
        if name in PEOPLE:
            self.counter.put_social(PEOPLE[name], station)
        elif name in OLD:
            self.counter.put_old(OLD[name], station)
        else:
            self.counter.put_other(Kind.BANK, station)
        await self.b.settle()

    @rule(station=st.sampled_from(STATIONS))
    def pull(self, station: str) -> None:
        for insertion, inside in list(self.counter.present.items()):
            if inside.station == station:
                self.counter.pull(insertion)
        self.run(self.b.settle())

    @rule(right=st.booleans())
    def answer(self, right: bool) -> None:  # noqa: FBT001 - hypothesis gives it by name
        self.run(self._answer(right=right))

    async def _answer(self, *, right: bool) -> None:
        for view in await self.b.engine.list(open_only=True, limit=10):
            prompt = view.prompt
            if prompt is None or prompt.prompt is None:
                continue
            digits = await self._digits(view, str(prompt.purpose)) if right else WRONG
            with contextlib.suppress(CarddError):
                await self.b.engine.answer(prompt.prompt, Secret(digits.encode()))
                self.typed[digits] += 1
        await self.b.settle()

    async def _digits(self, view: ActivationResult, purpose: str) -> str:
        if purpose == "old_card_password":
            return PASSWORD
        whole = await self.b.engine.view(view.activation, personal=True)
        code = (whole.card or {}).get("identification_code")
        return NEW if purpose == "new_pin" else self.chips[str(code)].pin

    @rule()
    def refuse_to_answer(self) -> None:
        self.run(self._refuse())

    async def _refuse(self) -> None:
        for view in await self.b.engine.list(open_only=True, limit=10):
            if view.prompt is not None and view.prompt.prompt is not None:
                await self.b.engine.answer(view.prompt.prompt, None)
        await self.b.settle()

    @rule(station=st.sampled_from(STATIONS))
    def cancel(self, station: str) -> None:
        held = self.counter.reserved.get(station)
        if held is not None:
            with contextlib.suppress(CarddError):
                self.run(self.b.engine.cancel(held))
            self.run(self.b.settle())

    # -- the world

    @rule(operation=st.sampled_from(["change_pin", "reload_pin", "write"]), done=st.booleans())
    def tear_the_next(self, operation: str, done: bool) -> None:  # noqa: FBT001 - hypothesis gives it by name
        self.counter.tears[operation] = done

    @rule(questions=st.sets(st.sampled_from(["activate", "outcome", "look_up_social_card", "report_update"])))
    def cut_the_line(self, questions: set[str]) -> None:
        self.b.line.deaf.update(questions)

    @rule()
    def lose_answers(self) -> None:
        self.b.line.mute.add("activate")

    @rule()
    def mend_the_line(self) -> None:
        self.b.line.mend()

    @rule(seconds=st.sampled_from([1, 20, 40, 130]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)
        self.run(self.b.settle())

    @rule(hours=st.sampled_from([-1, 1]))
    def set_the_clock(self, hours: int) -> None:
        self.clock.offset_s += hours * HOUR_S

    @precondition(lambda self: hasattr(self, "b"))
    @rule(down_s=st.sampled_from([0.0, 30.0, 200.0]))
    def crash(self, down_s: float) -> None:
        self.run(self._crash(down_s))

    async def _crash(self, down_s: float) -> None:
        await self.stack.aclose()
        self.stack = AsyncExitStack()
        inside = list(self.counter.present.values())
        self.counter = Counter(self.chips)
        clock = JumpingClock(self.clock.offset_s)
        clock.advance(self.clock.monotonic() - clock.monotonic() + down_s)
        self.heard.extend(one.sequence for one in self.b.events)
        await self._open(clock)
        for card in inside:
            social = next((one for one in PEOPLE.values() if one.identification_code == card.identification_code), None)
            if social is not None:
                self.counter.put_social(social, card.station)
        await self.b.settle()

    # -- what always holds

    @invariant()
    def the_centre_has_activated_each_card_at_most_once(self) -> None:
        if hasattr(self, "b"):
            granted = Count(row["card"] for row in self._granted())
            assert all(times == 1 for times in granted.values())

    @invariant()
    def nothing_is_presented_that_was_not_typed(self) -> None:
        presented = Count(pin for chip in self.chips.values() for pin in chip.verified)
        wrong = Count(pin for chip in self.chips.values() for pin in chip.wrong)
        assert all(times <= self.typed[pin] for pin, times in (presented | wrong).items())
        assert sum(chip.changes for chip in self.chips.values()) <= self.typed[NEW] + self.typed[WRONG]

    @invariant()
    def nothing_is_written_on_a_card_that_is_not_its_activations_own(self) -> None:
        for chip in self.chips.values():
            assert chip.card is BING or not chip.written
            assert not chip.sets or chip.changes or PinPolicy.TAKE_OVER in self.policy.pin_policies.values()

    @invariant()
    def no_event_is_lost_repeated_or_out_of_order(self) -> None:
        if hasattr(self, "b"):
            told = self.heard + [one.sequence for one in self.b.events]
            assert told == list(range(1, len(told) + 1))

    async def _close_the_day(self) -> None:
        self.b.line.mend()
        for _ in range(14):
            self.clock.advance(130)
            await self.b.settle()
        self.no_event_is_lost_repeated_or_out_of_order()
        assert self.counter.reserved == {}
        granted = {str(row["activation"]): str(row["card"]) for row in self._granted()}
        for view in await self.b.engine.list(open_only=False, limit=1000):
            assert view.state in ENDS
            event(f"{view.outcome or view.reason or view.state}")
            done = view.outcome in {Outcome.ACTIVATED, Outcome.ACTIVATED_UPDATE_PENDING}
            assert done == (view.activation in granted)
            if done:
                await self._agree(view, granted[view.activation])
        stored = await self.b.journal.read(0, 100_000)
        ended = [one.correlation for one in stored if one.type == "activation.completed"]
        assert len(ended) == len(set(ended))

    async def _agree(self, view: ActivationResult, number: str) -> None:
        """Card, centre and journal say the same."""
        whole = await self.b.engine.view(view.activation, personal=True)
        assert whole.card is not None
        assert whole.card["number"] == number
        chip = self.chips[str(whole.card["identification_code"])]
        if view.outcome is Outcome.ACTIVATED:
            assert (chip.card is BING) == bool(chip.written)
            if PIN_RULES[self.policy.pin_of(view.route)].setter is not None:
                assert chip.sets >= 1
                assert chip.pin != INITIAL

    def _granted(self) -> list[dict[str, Any]]:
        people: list[dict[str, Any]] = [dict(person) for person in self.b.line.register.show()]
        return [row for person in people for row in person["activations"] if row["standing"] == "granted"]


Stations.TestCase.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
TestStations = Stations.TestCase
