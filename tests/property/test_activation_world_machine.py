"""The activations' world against a model: clerks, holders, cards that remember, a centre, crashes, clocks that jump.

The engine alone is the daemon's own; it can be made to do far more in a second than a whole station. The model is what
the world itself holds: the register, what each card was made to do, what was typed, and what the journal tells.
"""

import asyncio
import contextlib
import shutil
import tempfile
from collections import Counter as Count
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.activations import BING, JIA, OLD_BING, OLD_JIA, OLD_YI, PASSWORD, YI, Bench, bench
from support.matrix_clerk import Afterwards
from support.typed import Typed
from support.world_cards import INITIAL, Chip, Counter, JumpingClock, Tear

from cardd.activation.authority import SocialCard
from cardd.activation.pins import PIN_RULES, PinPolicy
from cardd.activation.policy import Policy
from cardd.base.errors import CarddError
from cardd.base.secret import Secret
from cardd.wire.activation import ENDS, ActivationResult, Outcome, Route, State
from cardd.wire.cards import Kind

T = TypeVar("T")

NEW, WRONG = "864209", "000000"
STATIONS: Final = ("counter-1", "counter-2")
PEOPLE: Final = {"jia": JIA, "yi": YI, "bing": BING}
OLD: Final = {"old jia": OLD_JIA, "old yi": OLD_YI, "old bing": OLD_BING}
CARDS: Final = (*PEOPLE, *OLD, "bank")
HOUR_S: Final = 3600.0
UPDATES: Final = {BING.identification_code: {"SSSEEF05": {"06": "20400101"}}}
"""What the register has to write, by the card."""


class World(RuleBasedStateMachine):
    """Two stations, three people, one centre."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.directory = Path(tempfile.mkdtemp(prefix="cardd-world-"))
        self.chips = {card.identification_code: Chip(card) for card in PEOPLE.values()}
        self.counter = Counter(self.chips)
        self.typed = Typed()
        self.heard: list[int] = []
        self.open_then: dict[str, set[str]] = {}
        """The activations that were open when everything was last looked at, and the cards that each has read."""
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
            self.open_then[await self.b.start(**said)] = set()
        await self._settle()

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
        await self._settle()

    @rule(station=st.sampled_from(STATIONS))
    def pull(self, station: str) -> None:
        for insertion, inside in list(self.counter.present.items()):
            if inside.station == station:
                self.counter.pull(insertion)
        self.run(self._settle())

    @rule(how=st.sampled_from(["right", "right", "right", "wrong", "refused"]))
    def answer(self, how: str) -> None:
        self.run(self._refuse() if how == "refused" else self._answer(right=how == "right"))

    async def _answer(self, *, right: bool) -> None:
        for view in await self.b.engine.list(open_only=True, limit=10):
            prompt = view.prompt
            if prompt is None or prompt.prompt is None:
                continue
            digits = await self._digits(view, str(prompt.purpose)) if right else WRONG
            with contextlib.suppress(CarddError):
                await self.b.engine.answer(prompt.prompt, Secret(digits.encode()))
                card = await self._card_asked_about(view.activation)
                self.typed.answered(card, view.activation, str(prompt.purpose), digits)
        await self._settle()

    async def _digits(self, view: ActivationResult, purpose: str) -> str:
        if purpose == "old_card_password":
            return PASSWORD
        whole = await self.b.engine.view(view.activation, personal=True)
        code = (whole.card or {}).get("identification_code")
        return NEW if purpose == "new_pin" else self.chips[str(code)].pin

    async def _card_asked_about(self, activation: str) -> str | None:
        """Return the code of the new card that an activation has read, or of the one that comes with its old card."""
        view = await self.b.engine.view(activation, personal=True)
        old = None if view.old_card is None else view.old_card["number"]
        name = next((name for name in PEOPLE if OLD[f"old {name}"] == old), None)
        code = None if name is None else PEOPLE[name].identification_code
        return code if view.card is None else view.card["identification_code"]

    async def _refuse(self) -> None:
        for view in await self.b.engine.list(open_only=True, limit=10):
            if view.prompt is not None and view.prompt.prompt is not None:
                await self.b.engine.answer(view.prompt.prompt, None)
        await self._settle()

    @rule(station=st.sampled_from(STATIONS))
    def cancel(self, station: str) -> None:
        held = self.counter.reserved.get(station)
        if held is not None:
            with contextlib.suppress(CarddError):
                self.run(self.b.engine.cancel(held))
            self.run(self._settle())

    # -- the world

    @rule(
        operation=st.sampled_from(["read_social", "verify_pin", "change_pin", "reload_pin", "write"]),
        tear=st.builds(Tear, st.booleans(), st.sampled_from(Afterwards)),
        station=st.sampled_from(STATIONS),
        route=st.sampled_from(Route),
        who=st.sampled_from(sorted(PEOPLE)),
    )
    def tear_a_card_out(self, operation: str, tear: Tear, station: str, route: Route, who: str) -> None:
        """Tear the next card out that this is done to, perhaps that of whoever is served now; and then?"""
        self.counter.tears[operation] = tear
        self.run(self._serve(station, route, who))

    @rule(
        questions=st.sets(st.sampled_from(["activate", "outcome", "look_up_social_card", "report_update"])),
        lost=st.booleans(),
    )
    def cut_the_line(self, questions: set[str], *, lost: bool) -> None:
        """Have these questions go unheard; and what is done with an activation's, untold."""
        self.b.line.deaf.update(questions)
        if lost:
            self.b.line.mute.add("activate")

    @precondition(lambda self: self.b.line.deaf | self.b.line.mute)
    @rule()
    def mend_the_line(self) -> None:
        self.b.line.mend()

    @rule(seconds=st.sampled_from([1, 20, 40, 130]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)
        self.run(self._settle())

    @rule(hours=st.sampled_from([-1, 1]))
    def set_the_clock(self, hours: int) -> None:
        self.clock.offset_s += hours * HOUR_S

    @precondition(lambda self: hasattr(self, "b"))
    @rule(down_s=st.sampled_from([0.0, 30.0, 200.0]))
    def crash(self, down_s: float) -> None:
        self.run(self._crash(down_s))

    async def _crash(self, down_s: float) -> None:
        await self.stack.aclose()
        self._look_at_digits()
        # nothing that was typed outlives the daemon
        self.typed.forget_all()
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
        await self._settle()

    async def _settle(self) -> None:
        """Let everything come to rest, and look at it."""
        await self.b.settle()
        while self.counter.torn:
            self._go_on_after(*self.counter.torn.pop())
            await self.b.settle()
        await self._look()

    def _go_on_after(self, station: str, card: SocialCard, then: Afterwards) -> None:
        """Have a card that was torn out back in its reader, or another person's, or none."""
        people = list(PEOPLE.values())
        other = people[(people.index(card) + 1) % len(people)]
        comes = {Afterwards.BACK: card, Afterwards.OTHER: other, Afterwards.NONE: None}[then]
        inside = {one.identification_code for one in self.counter.present.values()}
        if comes is not None and comes.identification_code not in inside:
            self.counter.put_social(comes, station)

    # -- what always holds

    async def _look(self) -> None:
        """Hold what the cards were given and got against what was typed, and against the activations open meanwhile."""
        self._look_at_digits()
        still = {view.activation for view in await self.b.engine.list(open_only=True, limit=10)}
        for activation in {*self.open_then, *still}:
            view = await self.b.engine.view(activation, personal=True)
            if view.card is not None:
                self.open_then.setdefault(activation, set()).add(str(view.card["identification_code"]))
        self._look_at_writing({code for codes in self.open_then.values() for code in codes})
        self.open_then = {activation: self.open_then.get(activation, set()) for activation in still}
        self.typed.keep_only(still)

    def _look_at_digits(self) -> None:
        for code, chip in self.chips.items():
            given, chip.given = chip.given, []
            for part, digits in given:
                self.typed.given(code, part, digits)

    def _look_at_writing(self, own: set[str]) -> None:
        granted = {str(row["card"]) for row in self._granted()}
        early = PinPolicy.CHANGE_IS_ACTIVATION in self.policy.pin_policies.values()
        for code, chip in self.chips.items():
            written, sets = chip.fresh()
            assert code in own or not (written or sets), "written, and no activation of this card was open"
            assert chip.card.number in granted or not (written or (sets and not early)), "written and not activated"
            assert all(updates == UPDATES.get(code) for updates in written), "written what is not this card's"

    @invariant()
    def the_centre_has_activated_each_card_at_most_once(self) -> None:
        if hasattr(self, "b"):
            granted = Count(row["card"] for row in self._granted())
            assert all(times == 1 for times in granted.values())

    @invariant()
    def no_event_is_lost_repeated_or_out_of_order(self) -> None:
        if hasattr(self, "b"):
            told = self.heard + [one.sequence for one in self.b.events]
            assert told == list(range(1, len(told) + 1))

    async def _close_the_day(self) -> None:
        self.b.line.mend()
        for _ in range(14):
            self.clock.advance(130)
            await self._settle()
        self.no_event_is_lost_repeated_or_out_of_order()
        assert self.counter.reserved == {}
        granted = {str(row["activation"]): str(row["card"]) for row in self._granted()}
        views = await self.b.engine.list(open_only=False, limit=1000)
        for view in views:
            assert view.state in ENDS
            event(f"{view.outcome or view.reason or view.state}")
            done = view.outcome in {Outcome.ACTIVATED, Outcome.ACTIVATED_UPDATE_PENDING}
            assert done == (view.activation in granted)
            if done:
                await self._agree(view, granted[view.activation])
        stored = await self.b.journal.read(0, 100_000)
        assert [one.sequence for one in stored] == self.heard + [one.sequence for one in self.b.events]
        ended = [one.correlation for one in stored if one.type == "activation.completed"]
        assert len(ended) == len(set(ended))
        assert set(ended) == {view.activation for view in views if view.state is State.COMPLETED}

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


World.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestWorld = World.TestCase
