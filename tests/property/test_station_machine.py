"""Whole stations in any order of events: clerks, cards, tears, prompts, the authority, clocks, crashes, other clients.

The daemon is whole; what lies below it and beside it is simulated. The model knows what must hold whatever happens: who
may begin, what may still be cancelled, which way states may go, how often what was typed may be presented, and who is
activated.
"""

import asyncio
import contextlib
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar

import pytest
import structlog
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.follower import Follower
from support.matrix_cards import CHANGE_PIN, UPDATE_RECORD, VERIFY, Moment, Plastic, Tear
from support.matrix_clerk import DIGITS, Afterwards, Customer, Variation
from support.matrix_house import Fault, House
from support.other_clients import hold, read, verify_pin
from support.station_laws import Laws, complaints

from cardd.activation.moves import AFTER_NO_RETURN
from cardd.activation.pins import PinPolicy
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.wire.activation import ENDS, ActivationResult, ActivationStartParams, Route, State
from cardd.wire.events import EARLIEST, NOW

T = TypeVar("T")

PEOPLE = 3
STATIONS = 2
FOLLOWERS = 3
QUIET_S = 0.005
QUIET = 5
HOUR = timedelta(hours=1)
WRONG = "111111"
HEADER = 5

CALLS = ("look_up_old_card", "verify_old_password", "look_up_social_card", "activate", "outcome", "report_update")
WANTED: Final = frozenset({State.WAITING_OLD_CARD, State.WAITING_SOCIAL_CARD, State.WAITING_SAME_CARD})

stations = st.integers(0, STATIONS - 1)
people = st.integers(0, PEOPLE - 1)


def idle(_command: bytes) -> None:
    """Do nothing about a command."""


class Stations(RuleBasedStateMachine):
    """Two stations, three people with an old and a new card each."""

    ended: ClassVar[Counter[str]] = Counter()
    """How activations ended, over all examples."""

    # -- beginning and end

    @initialize(pins=st.sampled_from(PinPolicy))
    def begin(self, pins: PinPolicy) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="cardd-stations-"))
        self.runner = asyncio.Runner()
        self.pins = pins
        offered = ["pharmacy"] if pins is PinPolicy.TAKE_OVER else ["pharmacy", "hospital", "bank"]
        policy: dict[str, object] = {"pin_policy": str(pins), "routes": offered}
        self.house = House(self.directory / "h", STATIONS, policy, 0.3)
        self.laws = Laws(self.house, pins, PEOPLE)
        self.old = [holder.old for holder in self.laws.holders]
        self.social = [holder.social for holder in self.laws.holders]
        self.open: dict[int, str] = {}
        self.begun: dict[str, str] = {}
        """Activations by the request that began them."""
        self.asked: dict[str, ActivationStartParams] = {}
        """What was asked for with each of these requests."""
        self.whose: dict[str, int] = {}
        self.torn: list[tuple[str, Plastic, Afterwards]] = []
        """Cards that were torn out of their slots, and what happens now."""
        self.followers = {0: Follower(self.socket, EARLIEST)}
        self.faults: dict[str, Fault] = {}
        self.requests = self.verified = 0
        self.logs = contextlib.ExitStack()
        self.lines = self.logs.enter_context(structlog.testing.capture_logs())
        self.run(self.house.begin())
        self.plan()

    def teardown(self) -> None:
        if not hasattr(self, "runner"):
            return
        try:
            self.run(self._finish())
            assert complaints(self.lines) == []
        finally:
            self.logs.close()
            for follower in self.followers.values():
                self.run(follower.break_off())
            self.runner.close()
            shutil.rmtree(self.directory)

    async def _finish(self) -> None:
        """Mend everything, let time pass until nothing is open, and judge."""
        self.faults.clear()
        for card in self.old + self.social:
            card.listener = idle
            card.tear_at(Tear(0, Moment.BEFORE), lambda: None)
        for _ in range(40):
            await self._rest()
            if not self.house.engine.open_count():
                break
            self.house.clock.leap(200)
            # questions to the authority go on by the machine's own time
            await asyncio.sleep(0.12)
        assert self.house.engine.open_count() == 0, "something never ends"
        for follower in self.followers.values():
            await follower.listen_to_the_end(self.house.journal)
        stored = await self.house.journal.read(0, 1_000_000)
        await self.house.end()
        self.ended.update(self.laws.judge(stored))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    async def _rest(self) -> None:
        """Wait until nothing moves any more, and look at everything."""
        await self._quiet()
        while self.torn:
            self._go_on_after(*self.torn.pop())
            await self._quiet()
        await self.laws.look()
        self.open = {number: one for number, one in self.open.items() if self.laws.states[one] not in ENDS}

    async def _quiet(self) -> None:
        """Wait until nothing moves any more, or only the authority keeps somebody waiting."""
        quiet, seen = 0, (-1, -1, -1)
        while quiet < QUIET:
            await asyncio.sleep(QUIET_S)
            asked = sum(card.asked for card in (*self.laws.cards, self.house.module))
            now = (self.house.journal.last, len(self.house.line.calls), asked)
            quiet, seen = (quiet + 1, now) if now == seen else (0, now)

    def _go_on_after(self, slot: str, card: Plastic, then: Afterwards) -> None:
        """Have a card that was torn out back in its slot, or another person's, or none."""
        other = self.social[(self.social.index(card) + 1) % PEOPLE if card in self.social else 0]
        comes = {Afterwards.BACK: card, Afterwards.OTHER: other, Afterwards.NONE: None}[then]
        if comes is not None and comes not in self.house.inside.values():
            self.house.put(slot, comes)

    def rest(self) -> None:
        self.run(self._rest())

    # -- hands

    @rule(station=stations, who=people, old=st.booleans())
    def put_a_card_in(self, station: int, who: int, *, old: bool) -> None:
        card = self.old[who] if old else self.social[who]
        slot = self.house.slot(station)
        if card not in self.house.inside.values():
            self.house.put(slot, card)
            self.rest()

    @rule(station=stations)
    def take_the_card_out(self, station: int) -> None:
        self.house.take(self.house.slot(station))
        self.rest()

    @rule(
        station=stations,
        who=people,
        route=st.sampled_from(Route),
        old=st.booleans(),
        kind=st.sampled_from([None, VERIFY, CHANGE_PIN, UPDATE_RECORD]),
        tear=st.builds(Tear, st.integers(1, 60), st.sampled_from(Moment), st.integers(0, 9)),
        then=st.sampled_from(Afterwards),
        steps=st.sampled_from([0, 6, 9]),
    )
    def tear_a_card_out(
        self,
        station: int,
        who: int,
        route: Route,
        kind: int | None,
        tear: Tear,
        then: Afterwards,
        steps: int,
        *,
        old: bool,
    ) -> None:
        """Tear a card out in the middle of a command to come, or of the first of a kind, wherever it lies then.

        It is that of whoever is being served there, or of somebody who comes now.
        """
        who = self.whose[self.open[station]] if station in self.open else who
        card = self.old[who] if old else self.social[who]

        def pull() -> None:
            for name in [name for name, inside in self.house.inside.items() if inside is card]:
                self.house.backend.remove(name)
                self.house.inside.pop(name)
                self.torn.append((name, card, then))

        def strike(command: bytes) -> None:
            # a question for the tries alone has no data
            if command[1] == kind and len(command) > HEADER:
                card.listener = idle
                card.tear_at(replace(tear, nth=card.asked + 1), pull)

        card.listener = idle if kind is None else strike
        card.tear_at(replace(tear, nth=card.asked + tear.nth if kind is None else 0), pull)
        self.serve(station, who, route, steps)

    # -- the till

    @rule(station=stations, who=people, route=st.sampled_from(Route), again=st.booleans())
    def begin_an_activation(self, station: int, who: int, route: Route, *, again: bool) -> None:
        self.requests += not again or not self.requests
        request = f"r-{self.requests}"
        params = self._wish(station, who, route, request)
        known = self.asked.get(request, params)
        if params != known:
            with pytest.raises(CarddError) as refused:
                self.run(self._begin(params))
            assert refused.value.reason is Reason.INVALID, "another's activation was told"
        self._begin_or_hear_of_it(station, who, known)

    def _wish(self, station: int, who: int, route: Route, request: str) -> ActivationStartParams:
        route = Route.PHARMACY if self.pins is PinPolicy.TAKE_OVER else route
        customer = Customer(who, self.laws.holders[who].person, Variation(route, self.pins))
        return customer.params(self.house.station(station), request=request)

    def _begin_or_hear_of_it(self, station: int, who: int, params: ActivationStartParams) -> None:
        activation = self.run(self._begin(params))
        request = str(params.request)
        if activation is None:
            assert station in self.open, "nobody is served there"
            assert request not in self.begun
            return
        self.asked[request] = params
        assert activation == self.begun.setdefault(request, activation), "one request, two activations"
        if activation not in self.laws.states:
            assert station not in self.open, "two activations at one station"
            self.open[station] = activation
            self.laws.begin(activation, State.WAITING_OLD_CARD)
            self.whose[activation] = who
        self.rest()

    async def _begin(self, params: ActivationStartParams) -> str | None:
        """Begin; return None where the station is taken."""
        try:
            return await self.house.engine.start(params, client="till")
        except CarddError as error:
            if error.reason is not Reason.BUSY:
                raise
            return None

    @rule(station=stations, kind=st.sampled_from(["right", "right", "right", "wrong", "cancel"]))
    def answer_a_prompt(self, station: int, kind: str) -> None:
        activation = self.open.get(station)
        if activation is None:
            return
        view = self.run(self.house.engine.view(activation, personal=True))
        if kind == "cancel":
            self._cancel_prompt(view)
        else:
            self._type(view, DIGITS if kind == "right" else dict.fromkeys(DIGITS, WRONG))
        self.rest()

    def _cancel_prompt(self, view: ActivationResult) -> None:
        if view.prompt is not None and view.prompt.prompt is not None:
            with contextlib.suppress(CarddError):
                self.run(self.house.engine.answer(view.prompt.prompt, None))

    def _type(self, view: ActivationResult, digits: Mapping[str, str]) -> None:
        """Answer what is asked now, and note for which card."""
        prompt = view.prompt
        if prompt is None or prompt.prompt is None or prompt.purpose is None:
            return
        bearer = self.whose[view.activation] if prompt.purpose == "old_card_password" else self.laws.bearer(view)
        pin = digits[prompt.purpose]
        with contextlib.suppress(CarddError):
            self.run(self.house.engine.answer(prompt.prompt, Secret(pin.encode())))
            self.laws.typed.answered(bearer, view.activation, prompt.purpose, pin)

    @rule(station=stations, who=people, route=st.sampled_from(Route), steps=st.sampled_from([2, 4, 8]))
    def serve(self, station: int, who: int, route: Route, steps: int) -> None:
        """Do what the screen says, for whoever is being served, or for somebody who comes now."""
        if station not in self.open:
            self.requests += 1
            self._begin_or_hear_of_it(station, who, self._wish(station, who, route, f"r-{self.requests}"))
        if station in self.open:
            self.follow(station, self.open[station], steps)

    def follow(self, station: int, activation: str, steps: int) -> None:
        for _ in range(steps):
            self.rest()
            if self.laws.states[activation] in ENDS:
                return
            self._do_one_thing(station, activation)
        self.rest()

    def _do_one_thing(self, station: int, activation: str) -> None:
        view = self.run(self.house.engine.view(activation, personal=True))
        who = self.whose[activation]
        if view.prompt is not None and view.prompt.prompt:
            self._type(view, DIGITS)
        elif view.state in WANTED:
            card = self.old[who] if view.state is State.WAITING_OLD_CARD else self.social[who]
            for slot in [slot for slot, inside in self.house.inside.items() if inside is card]:
                self.house.take(slot)
            self.house.put(self.house.slot(station), card)

    @rule(which=st.integers(-3, -1))
    def cancel(self, which: int) -> None:
        # what is drawn may not depend on what real threads have done by now
        if len(self.laws.states) < -which:
            return
        activation = list(self.laws.states)[which]
        self.rest()
        state = self.laws.states[activation]
        too_late = state in AFTER_NO_RETURN or state is State.COMPLETED
        with pytest.raises(CarddError, match="TOO_LATE") if too_late else contextlib.nullcontext():
            self.run(self.house.engine.cancel(activation))
        self.rest()

    # -- the authority, the time, the power

    @rule(call=st.sampled_from(CALLS), fault=st.sampled_from([Fault.DEAF, Fault.MUTE, Fault.TWICE, Fault.STUCK]))
    def let_the_authority_fail(self, call: str, fault: Fault) -> None:
        self.faults[call] = fault

    @precondition(lambda self: self.faults)
    @rule()
    def mend_the_authority(self) -> None:
        self.faults.clear()
        self.run(asyncio.sleep(0.12))
        self.rest()

    @rule(by=st.sampled_from([HOUR, -HOUR]), seconds=st.sampled_from([0.0, 5.0, 130.0]))
    def let_time_pass(self, by: timedelta, seconds: float) -> None:
        """Let so much time pass, or none, and have the clock set an hour on or back."""

        async def leap() -> None:
            self.house.clock.leap(seconds)

        self.rest()
        self.house.clock.offset += by
        self.run(leap())
        self.rest()

    @rule(orderly=st.booleans(), settled=st.booleans())
    def start_the_daemon_again(self, *, orderly: bool, settled: bool) -> None:
        if settled:
            self.rest()
        self.run(self.house.end() if orderly else self.house.crash())
        self.laws.daemon_gone()
        self.run(self.house.begin())
        self.plan()
        self.rest()

    def plan(self) -> None:
        self.house.line.plan = lambda name, _subject: self.faults.get(name)

    # -- other clients

    @property
    def socket(self) -> Path:
        return self.house.directory / "cardd.sock"

    @rule(station=stations, held=st.booleans())
    def another_client_reads_or_holds_a_card(self, station: int, *, held: bool) -> None:
        reader = f"reader-{station}"
        self.run(hold(self.socket, reader, self._rest) if held else read(self.socket, reader))
        self.rest()

    @rule(station=stations, who=people, right=st.booleans(), times=st.integers(1, 2))
    def another_client_has_the_pin_verified(self, station: int, who: int, times: int, *, right: bool) -> None:
        """Have the PIN of the card that is in compared, or of one that is put in; ask so often with one request."""
        self.verified += 1
        request, digits = f"v-{self.verified}", DIGITS["social_pin"] if right else WRONG
        if self.house.slot(station) not in self.house.inside:
            self.put_a_card_in(station, who, old=False)
        inside = self.house.inside.get(self.house.slot(station))

        def answered() -> None:
            if inside in self.social:
                self.laws.typed.answered(self.social.index(inside), request, "social_pin", digits)

        for _ in range(times):
            self.run(verify_pin(self.socket, f"reader-{station}", request, digits, answered))
            self.rest()

    @rule(
        which=st.integers(0, FOLLOWERS - 1),
        after=st.sampled_from([EARLIEST, NOW]),
        kinds=st.sampled_from(["*", "activation.*"]),
        most=st.sampled_from([0, 1, 3, 10_000]),
        stays=st.booleans(),
    )
    def a_subscriber_listens(self, which: int, after: str, kinds: str, most: int, *, stays: bool) -> None:
        """Have a subscriber come late or go on, take notice of so many events, and stay or break off."""
        follower = self.followers.setdefault(which, Follower(self.socket, after, kinds))
        self.run(follower.listen(self.house.journal, most))
        if not stays:
            self.run(follower.break_off())

    # -- what must hold all the time; what the cards were asked is looked at whenever nothing moves

    @invariant()
    def nobody_is_activated_twice(self) -> None:
        if hasattr(self, "laws"):
            self.laws.nobody_is_activated_twice()


SHORT: Final = settings(
    max_examples=8,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # real threads: an example that was cut shorter need not fail again
    phases=(Phase.reuse, Phase.generate),
)
LONG: Final = settings(SHORT, max_examples=120, stateful_step_count=40)


def play(machine: type[RuleBasedStateMachine], how_long: settings) -> None:
    machine.TestCase.settings = how_long
    machine.TestCase().runTest()


def test_whole_stations_keep_their_promises_whatever_happens() -> None:
    play(Stations, SHORT)


@pytest.mark.night
@pytest.mark.timeout(1800)
def test_whole_stations_keep_their_promises_whatever_happens_for_long(capsys: pytest.CaptureFixture[str]) -> None:
    play(Stations, LONG)
    with capsys.disabled():
        sys.stdout.write(f"\n{Stations.ended.total()} activations: {dict(Stations.ended)}\n")
