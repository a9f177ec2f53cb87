"""Whole stations in any order of events: clerks, cards, tears, prompts, the authority, clocks, crashes, other clients.

The daemon is whole; what lies below it and beside it is simulated. The model knows what must hold whatever happens: who
may begin, what may still be cancelled, which way states may go, how often what was typed may be presented, and who is
activated.
"""

import asyncio
import contextlib
import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar

import pytest
import structlog
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from support.matrix_cards import PIN_SETTING, WRITING, Moment, Plastic, Tear
from support.matrix_clerk import DIGITS, Customer, Variation
from support.matrix_house import Fault, House
from support.matrix_judge import ENDS as END_EVENTS
from support.matrix_judge import RECORD, Centre
from support.people import Person, invent

from cardd.activation.moves import AFTER_NO_RETURN
from cardd.activation.pins import PinPolicy
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.client.aio import Client
from cardd.client.errors import CallError, UnreachableError
from cardd.wire.activation import ENDS, ActivationStartParams, Outcome, Route, State
from cardd.wire.cards import CardReadParams
from cardd.wire.events import EventsSubscribeParams
from cardd.wire.leases import LeaseAcquireParams
from cardd.wire.methods import CARD_READ, LEASE_ACQUIRE

T = TypeVar("T")

PEOPLE = 3
STATIONS = 2
QUIET_S = 0.005
QUIET = 5
HOUR = timedelta(hours=1)
WRONG = "111111"
PINS: Final = frozenset({"social_pin", "new_pin"})
"""What is typed for a card; the old card's password is the authority's."""

CALLS = ("look_up_old_card", "verify_old_password", "look_up_social_card", "activate", "outcome", "report_update")
GRANTED: Final = frozenset({"activated", "activated_update_pending"})
WANTED: Final = frozenset({State.WAITING_OLD_CARD, State.WAITING_SOCIAL_CARD, State.WAITING_SAME_CARD})
FORESEEN: Final = frozenset({"activation.not_stored", "reception.unrecorded"})

stations = st.integers(0, STATIONS - 1)
people = st.integers(0, PEOPLE - 1)


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
        _, invented = invent(self.house.directory, PEOPLE)
        self.people: list[Person] = invented
        self.old = [Plastic(person.old) for person in invented]
        self.social = [Plastic(person.social) for person in invented]
        self.open: dict[int, str] = {}
        self.begun: dict[str, str] = {}
        """Activations by the request that began them."""
        self.asked: dict[str, ActivationStartParams] = {}
        """What was asked for with each of these requests."""
        self.states: dict[str, State] = {}
        self.whose: dict[str, int] = {}
        self.typed = 0
        self.told: list[int] = []
        self.cursor = "earliest"
        self.faults: dict[str, Fault] = {}
        self.requests = 0
        self.logs = contextlib.ExitStack()
        self.lines = self.logs.enter_context(structlog.testing.capture_logs())
        self.run(self.house.begin())
        self.plan()

    def teardown(self) -> None:
        if not hasattr(self, "runner"):
            return
        try:
            self.run(self._finish())
            bad = [line for line in self.lines if line["log_level"] in {"error", "critical"}]
            assert [line for line in bad if line["event"] not in FORESEEN] == []
        finally:
            self.logs.close()
            self.runner.close()
            shutil.rmtree(self.directory)

    async def _finish(self) -> None:
        """Mend everything, let time pass until nothing is open, and judge."""
        self.faults.clear()
        for card in self.old + self.social:
            card.tear_at(Tear(0, Moment.BEFORE), lambda: None)
        for _ in range(40):
            await self._rest()
            if not self.house.engine.open_count():
                break
            self.house.clock.leap(200)
            # questions to the authority go on by the machine's own time
            await asyncio.sleep(0.12)
        assert self.house.engine.open_count() == 0, "something never ends"
        await self._subscribe()
        stored = await self.house.journal.read(0, 1_000_000)
        await self.house.end()
        assert [one.sequence for one in stored] == list(range(1, len(stored) + 1))
        assert self.told == [one.sequence for one in stored[: len(self.told)]]
        assert len(self.told) == len(stored), "a subscriber was not told of everything"
        ends = [one for one in stored if one.type in END_EVENTS]
        assert Counter(one.correlation for one in ends) == Counter(self.states.keys()), "not one end each"
        centre = Centre.read(self.house.register)
        for end in ends:
            data = json.loads(end.data)
            self.ended[str(data.get("outcome") or data.get("reason") or data["state"])] += 1
            self._judge(str(end.correlation), data, centre)

    def _judge(self, activation: str, data: dict[str, Any], centre: Centre) -> None:
        deed = centre.deeds.get(activation)
        granted = deed is not None and deed.standing == "granted"
        assert granted == (data.get("outcome") in GRANTED), (activation, data, deed)
        if deed is not None and data.get("outcome") == Outcome.ACTIVATED:
            card = self.social[[person.number for person in self.people].index(deed.holder)]
            assert card.holds(*RECORD)
            assert deed.written is not False

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    async def _rest(self) -> None:
        """Wait until nothing moves any more, or only the authority keeps somebody waiting."""
        quiet, seen = 0, (-1, -1, -1)
        while quiet < QUIET:
            await asyncio.sleep(QUIET_S)
            asked = sum(card.asked for card in (*self.old, *self.social, self.house.module))
            now = (self.house.journal.last, len(self.house.line.calls), asked)
            quiet, seen = (quiet + 1, now) if now == seen else (0, now)
        for activation in self.states:
            view = await self.house.engine.view(activation, personal=False)
            before, self.states[activation] = self.states[activation], view.state
            assert before not in ENDS or view.state is before, f"{before} became {view.state}"
            assert before not in AFTER_NO_RETURN or view.state in {*AFTER_NO_RETURN, State.COMPLETED, State.REFUSED}
        self.open = {number: one for number, one in self.open.items() if self.states[one] not in ENDS}

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

    @rule(station=stations, who=people, ahead=st.integers(1, 60), moment=st.sampled_from([Moment.BEFORE, Moment.AFTER]))
    def let_a_card_be_torn_out(self, station: int, who: int, ahead: int, moment: Moment) -> None:
        card, slot = self.social[who], self.house.slot(station)

        def pull() -> None:
            for name in [name for name, inside in self.house.inside.items() if inside is card]:
                self.house.backend.remove(name)
                self.house.inside.pop(name)

        if slot in self.house.inside or self.house.inside:
            card.tear_at(Tear(card.asked + ahead, moment), pull)

    # -- the till

    @rule(
        station=stations,
        who=people,
        route=st.sampled_from(Route),
        again=st.booleans(),
        steps=st.sampled_from([0, 3, 6]),
    )
    def begin_an_activation(self, station: int, who: int, route: Route, steps: int, *, again: bool) -> None:
        if self.pins is PinPolicy.TAKE_OVER:
            route = Route.PHARMACY
        self.requests += not again or not self.requests
        request = f"r-{self.requests}"
        customer = Customer(who, self.people[who], Variation(route, self.pins))
        params = customer.params(self.house.station(station), request=request)
        known = self.asked.get(request, params)
        if params != known:
            with pytest.raises(CarddError) as refused:
                self.run(self._begin(params))
            assert refused.value.reason is Reason.INVALID, "another's activation was told"
        activation = self.run(self._begin(known))
        if activation is None:
            assert station in self.open, "nobody is served there"
            assert request not in self.begun
            return
        self.asked[request] = known
        assert activation == self.begun.setdefault(request, activation), "one request, two activations"
        if activation not in self.states:
            assert station not in self.open, "two activations at one station"
            self.open[station] = activation
            self.states[activation] = State.WAITING_OLD_CARD
            self.whose[activation] = who
            self.follow(station, activation, steps)
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
        prompt = self.run(self.house.engine.view(activation, personal=False)).prompt
        if prompt is None or prompt.prompt is None or prompt.purpose is None:
            return
        digits = DIGITS[prompt.purpose] if kind == "right" else WRONG
        with contextlib.suppress(CarddError):
            self.run(self.house.engine.answer(prompt.prompt, None if kind == "cancel" else Secret(digits.encode())))
        self.typed += kind != "cancel" and prompt.purpose in PINS
        self.rest()

    @rule(station=stations, steps=st.integers(1, 6))
    def do_as_the_screen_says(self, station: int, steps: int) -> None:
        if station in self.open:
            self.follow(station, self.open[station], steps)

    def follow(self, station: int, activation: str, steps: int) -> None:
        for _ in range(steps):
            self.rest()
            if self.states[activation] in ENDS:
                return
            self._do_one_thing(station, activation)
        self.rest()

    def _do_one_thing(self, station: int, activation: str) -> None:
        view = self.run(self.house.engine.view(activation, personal=False))
        who = self.whose[activation]
        prompt = view.prompt
        if prompt is not None and prompt.prompt and prompt.purpose:
            self.typed += prompt.purpose in PINS
            with contextlib.suppress(CarddError):
                self.run(self.house.engine.answer(prompt.prompt, Secret(DIGITS[prompt.purpose].encode())))
        elif view.state in WANTED:
            card = self.old[who] if view.state is State.WAITING_OLD_CARD else self.social[who]
            for slot in [slot for slot, inside in self.house.inside.items() if inside is card]:
                self.house.take(slot)
            self.house.put(self.house.slot(station), card)

    @rule(which=st.integers(-3, -1))
    def cancel(self, which: int) -> None:
        # what is drawn may not depend on what real threads have done by now
        if len(self.states) < -which:
            return
        activation = list(self.states)[which]
        self.rest()
        state = self.states[activation]
        too_late = state in AFTER_NO_RETURN or state is State.COMPLETED
        with pytest.raises(CarddError, match="TOO_LATE") if too_late else contextlib.nullcontext():
            self.run(self.house.engine.cancel(activation))
        self.rest()

    # -- the authority, the time, the power

    @rule(call=st.sampled_from(CALLS), fault=st.sampled_from([Fault.DEAF, Fault.MUTE, Fault.TWICE, Fault.STUCK]))
    def let_the_authority_fail(self, call: str, fault: Fault) -> None:
        self.faults[call] = fault

    @rule()
    def mend_the_authority(self) -> None:
        self.faults.clear()
        self.run(asyncio.sleep(0.12))
        self.rest()

    @rule(by=st.sampled_from([HOUR, -HOUR]))
    def set_the_clock(self, by: timedelta) -> None:
        self.house.clock.offset += by
        self.rest()

    @rule(seconds=st.sampled_from([5.0, 130.0]))
    def let_time_pass(self, seconds: float) -> None:
        async def leap() -> None:
            self.house.clock.leap(seconds)

        self.rest()
        self.run(leap())
        self.rest()

    @rule(orderly=st.booleans(), settled=st.booleans())
    def start_the_daemon_again(self, *, orderly: bool, settled: bool) -> None:
        if settled:
            self.rest()
        self.run(self.house.end() if orderly else self.house.crash())
        self.run(self.house.begin())
        self.plan()
        self.rest()

    def plan(self) -> None:
        self.house.line.plan = lambda name, _subject: self.faults.get(name)

    # -- other clients

    @rule(station=stations)
    def another_client_reads_a_card(self, station: int) -> None:
        async def read() -> None:
            async with await Client.connect(self.house.directory / "cardd.sock") as client:
                with contextlib.suppress(CallError):
                    await client.call(CARD_READ, CardReadParams(reader=f"reader-{station}"))

        self.run(read())
        self.rest()

    @rule(station=stations)
    def another_client_holds_a_card_for_a_moment(self, station: int) -> None:
        async def hold() -> None:
            async with await Client.connect(self.house.directory / "cardd.sock") as client:
                with contextlib.suppress(CallError):
                    await client.call(LEASE_ACQUIRE, LeaseAcquireParams(reader=f"reader-{station}", ttl_s=5))
                    await self._rest()

        self.run(hold())
        self.rest()

    @rule()
    def a_subscriber_catches_up(self) -> None:
        self.run(self._subscribe())

    async def _subscribe(self) -> None:
        """Go on where it left off, until it was told what the journal has now."""
        async with await Client.connect(self.house.directory / "cardd.sock") as client:
            await client.subscribe(EventsSubscribeParams(after=self.cursor))
            last = self.house.journal.last
            with contextlib.suppress(UnreachableError):
                while not self.told or self.told[-1] < last:
                    arrival = await asyncio.wait_for(anext(client.events()), 5)
                    self.told.append(int(arrival.event.sequence))
                    self.cursor = arrival.cursor

    # -- what must hold all the time

    @invariant()
    def nobody_is_activated_twice(self) -> None:
        if not hasattr(self, "runner"):
            return
        granted = [deed.card for deed in Centre.read(self.house.register).granted()]
        assert len(set(granted)) == len(granted)

    @invariant()
    def nothing_is_presented_or_written_that_is_nobodys_wish(self) -> None:
        if not hasattr(self, "runner"):
            return
        assert sum(len(card.presented()) for card in self.social) <= self.typed
        centre = Centre.read(self.house.register)
        active = {deed.holder for deed in centre.granted()}
        early = PIN_SETTING if self.pins is PinPolicy.CHANGE_IS_ACTIVATION else frozenset[int]()
        for person, old, social in zip(self.people, self.old, self.social, strict=True):
            assert not old.sent(WRITING)
            assert person.number in active or not social.sent(WRITING - early), "written and not activated"
            assert not social.failed_authentications()

    @invariant()
    def what_a_subscriber_was_told_has_no_gap(self) -> None:
        if hasattr(self, "told"):
            assert self.told == list(range(1, len(self.told) + 1))


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
