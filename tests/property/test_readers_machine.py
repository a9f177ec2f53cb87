"""Readers under any order of events, with real threads: what is told of cards, which card work reaches, who holds what.

Holding is held against a small model: it knows every lease, held station and lent reader, and why each may end.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.readers import Bay, Card, Gate, Rig, ScriptedBackend

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.iso7816.apdu import Command
from cardd.iso7816.channel import Channel
from cardd.iso7816.device import Presence, ServiceDown, ServiceUp
from cardd.readers.facts import (
    CardInserted,
    CardRemoved,
    ReaderAttached,
    ReaderDetached,
    ReaderState,
    ServiceCameUp,
    ServiceWentDown,
)
from cardd.readers.holds import Lease
from cardd.readers.insertion import Insertion
from cardd.readers.supervisor import GRACE_S

SLOTS = ("R", "Q")
PEOPLE = ("till", "ward")
STATION = "desk"
TTL_S = 30.0
JOB_S = 10.0
LONG_S = 200.0

slots = st.sampled_from(SLOTS)
people = st.sampled_from(PEOPLE)
latest = st.integers(1, 3)
failures = st.sampled_from([Reason.CARD_REMOVED, Reason.CARD_UNPOWERED, Reason.PCSC_UNAVAILABLE])


@dataclass
class Held:
    """A lease as the model knows it. `number` marks its commands; `broken`: work under it may have failed half-way."""

    lease: Lease
    holder: str
    number: int
    broken: bool = False


class ReadersMachine(RuleBasedStateMachine):
    """Physical slots that change, looks that come late or twice, work that fails or hangs."""

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.backend = ScriptedBackend(*SLOTS)
        self.cards: list[Card] = []
        self.up = True
        self.gates: dict[str, Gate] = {}
        self.jobs: dict[asyncio.Task[int], str] = {}
        self.connections = dict.fromkeys(PEOPLE, 0)
        self.leases: dict[str, Held] = {}
        self.given: list[Held] = []
        self.channels: dict[str, list[Channel]] = {}
        self.reserved: str | None = None
        self.lent: dict[str, str] = {}
        self.loop.run_until_complete(self._open())

    async def _open(self) -> None:
        self.rig = Rig(self.backend)
        await self.rig.__aenter__()

    def _run(self, what: Coroutine[Any, Any, None]) -> None:
        self.loop.run_until_complete(what)

    def new_card(self) -> Card:
        """Return a card unlike any other. The commands that reach it name the card they were meant for."""
        card = Card(b"\x3b" + len(self.cards).to_bytes(3, "big"))
        self.cards.append(card)
        return card

    async def _rest(self) -> None:
        """Wait until all that was observed is told, and all work that can end has ended."""
        await self.rig.drained()
        await self.rig.until(lambda: all(t.done() or self.jobs[t] in self.gates for t in self.jobs), "work's end")
        for task in [task for task in self.jobs if task.done()]:
            self.jobs.pop(task)
            error = task.exception()
            assert error is None or isinstance(error, CarddError)

    def rest(self) -> None:
        self._run(self._rest())

    # -- hands and cables --

    @rule(slot=slots, seen=st.booleans())
    def put_card(self, slot: str, *, seen: bool) -> None:
        if slot in self.backend.bays:
            self.backend.put(slot, self.new_card())
            self.look_if(seen)

    @rule(slot=slots, seen=st.booleans())
    def take_card(self, slot: str, *, seen: bool) -> None:
        if slot in self.backend.bays:
            self.backend.take(slot)
            self.look_if(seen)

    def look_if(self, seen: bool) -> None:  # noqa: FBT001
        if seen and self.up:
            self.backend.look()
            self.rest()

    @rule(slot=slots)
    def turn_card_over(self, slot: str) -> None:
        bay = self.backend.bays.get(slot)
        if bay is not None and bay.card is not None:
            bay.presence = None if bay.presence else Presence.MUTE

    @rule(slot=slots)
    def plug_reader(self, slot: str) -> None:
        self.backend.bays.setdefault(slot, Bay())

    @rule(slot=slots)
    def pull_or_plug_reader(self, slot: str) -> None:
        if self.backend.bays.pop(slot, None) is None:
            self.backend.bays[slot] = Bay()
        else:
            gate = self.gates.pop(slot, None)
            if gate is not None:
                gate.open()

    # -- looks --

    @precondition(lambda self: self.up)
    @rule(times=st.integers(1, 3))
    def look(self, times: int) -> None:
        for _ in range(times):
            self.backend.look()

    @rule(returns=st.booleans())
    def service_goes(self, *, returns: bool) -> None:
        self.up = False
        self.backend.tell(ServiceDown(Reason.PCSC_UNAVAILABLE, "gone"))
        if returns:
            self.service_comes()

    @precondition(lambda self: not self.up)
    @rule()
    def service_comes(self) -> None:
        self.up = True
        self.backend.tell(ServiceUp())
        self.backend.look()

    @precondition(lambda self: not self.up)
    @rule()
    def service_comes_soon(self) -> None:
        self.service_comes()

    # -- work --

    @rule(slot=slots)
    def work_well(self, slot: str) -> None:
        self.work(slot, 1, "", rests=True)

    @rule(
        slot=slots,
        commands=st.integers(1, 3),
        rests=st.booleans(),
        before=st.sampled_from(["", "", "", "put", "exchange"]),
    )
    def work(self, slot: str, commands: int, before: str, *, rests: bool) -> None:
        bay = self.backend.bays.get(slot)
        if bay is None:
            return
        insertion = self.card_in(slot)
        if insertion is not None:
            if before == "put":
                self.backend.put(slot, self.new_card())
            elif before == "exchange":
                bay.card = self.new_card()
            self._run(self._work(slot, insertion, commands))
            if rests:
                self.rest()

    def lately_given(self, back: int) -> Held | None:
        """Return the lease that was given so many leases ago, 1 for the last."""
        return self.given[-back] if back <= len(self.given) else None

    def card_in(self, slot: str) -> Insertion | None:
        """Return the insertion in a slot, and put a card there first if it is empty."""
        if self.rig.readers.insertion_in(slot) is None:
            self.put_card(slot, seen=True)
        return self.rig.readers.insertion_in(slot)

    async def _work(self, slot: str, insertion: Insertion, commands: int, held: Held | None = None) -> None:
        """Begin work, under a lease or none. Its commands name the card that is meant, and the lease by its number."""
        number = 0 if held is None else held.number

        def operation(channel: Channel, mine: Insertion) -> int:
            assert mine == insertion
            if held is not None:
                self.channels.setdefault(held.lease.id, []).append(channel)
            for _ in range(commands):
                channel.expect(Command(0x00, 0xA4, number >> 8, number & 0xFF, mine.atr))
            return commands

        async def job() -> int:
            self.compare()
            refusal = self.inadmissible(insertion, held)
            hold = None if held is None else held.lease.id
            try:
                result = await self.rig.readers.run(insertion.id, operation, timeout_s=JOB_S, hold=hold)
            except CarddError as error:
                if held is not None:
                    held.broken = True
                self.judge(error.reason, refusal, held)
                raise
            assert refusal is None
            return result

        task = asyncio.create_task(job())
        self.jobs[task] = slot
        await asyncio.sleep(0)

    @staticmethod
    def judge(reason: Reason, refusal: Reason | None, held: Held | None) -> None:
        """What the model refuses is refused for that reason, and nothing else for such a reason, but too late work."""
        ended_meanwhile = held is not None and reason is Reason.LEASE_LOST
        assert refusal in {None, reason}
        assert refusal or ended_meanwhile or reason not in {Reason.LEASE_HELD, Reason.LEASE_LOST}

    def inadmissible(self, insertion: Insertion, held: Held | None) -> Reason | None:
        """Return why the model lets no job of that lease begin on an insertion."""
        if held is not None:
            return None if held.lease.id in self.leases else Reason.LEASE_LOST
        leased = any(one.lease.insertion.id == insertion.id for one in self.leases.values())
        return Reason.LEASE_HELD if leased else None

    # -- holding --

    def name(self, who: str) -> str:
        return f"{who} {self.connections[who]}"

    def refusing(self, expected: Reason | None, act: Callable[[], object]) -> bool:
        """Do something that the model allows or refuses, and return whether it was done."""
        try:
            act()
        except CarddError as error:
            assert error.reason is expected  # noqa: PT017 - the reason is what the model said, or it fails
            return False
        assert expected is None
        return True

    @rule(slot=slots, who=people, ttl_s=st.sampled_from([1.0, TTL_S]))
    def lease(self, slot: str, who: str, ttl_s: float) -> None:
        insertion = self.card_in(slot) if slot in self.backend.bays else None
        if insertion is None:
            return
        self.compare()
        expected = self.inadmissible(insertion, None) or (Reason.BUSY if self.reserved else None)

        def acquire() -> None:
            lease = self.rig.readers.lease(insertion.id, self.name(who), ttl_s=ttl_s)
            held = Held(lease, self.name(who), len(self.given) + 1)
            self.given.append(held)
            self.leases[lease.id] = held

        self.refusing(expected, acquire)

    @rule(back=latest, commands=st.integers(1, 3), rests=st.booleans())
    def work_under_a_lease(self, back: int, commands: int, *, rests: bool) -> None:
        held = self.lately_given(back)
        if held is None:
            return
        slot = held.lease.insertion.reader
        self._run(self._work(slot, held.lease.insertion, commands, held))
        if rests:
            self.rest()

    @rule(back=latest, own=st.booleans())
    def renew(self, back: int, *, own: bool) -> None:
        held = self.lately_given(back)
        if held is None:
            return
        self.compare()
        holder = held.holder if own else "a stranger"
        may = own and held.lease.id in self.leases

        def renew() -> None:
            held.lease = self.rig.readers.renew(held.lease.id, holder, ttl_s=TTL_S)

        self.refusing(None if may else Reason.LEASE_LOST, renew)

    @rule(back=latest, own=st.booleans())
    def release(self, back: int, *, own: bool) -> None:
        held = self.lately_given(back)
        if held is None:
            return
        self.compare()
        holder = held.holder if own else "a stranger"
        may = own and held.lease.id in self.leases
        if self.refusing(None if may else Reason.LEASE_LOST, lambda: self.rig.readers.end_lease(held.lease.id, holder)):
            del self.leases[held.lease.id]

    @rule(slot=slots, who=people)
    def lease_ends_while_work_under_it_waits(self, slot: str, who: str) -> None:
        if slot in self.gates:
            return
        self.lease(slot, who, TTL_S)
        bay = self.backend.bays.get(slot)
        held = self.lately_given(1)
        if bay is None or held is None or held.lease.insertion.reader != slot:
            return
        gate = Gate()
        bay.on_transmit.append(gate)
        for _ in range(2):
            self._run(self._work(slot, held.lease.insertion, 1, held))
        self.connection_closes(who)
        gate.open()

    @rule(who=people)
    def connection_closes(self, who: str) -> None:
        self.compare()
        holder = self.name(who)
        self.connections[who] += 1
        self.rig.readers.end_holds_of(holder)
        self.leases = {name: held for name, held in self.leases.items() if held.holder != holder}
        self.lent = {slot: lent for slot, lent in self.lent.items() if lent != holder}

    @rule(holder=st.sampled_from(["activation 1", "activation 2"]))
    def reserve(self, holder: str) -> None:
        self.compare()
        expected = None
        if self.reserved not in {None, holder}:
            expected = Reason.BUSY
        elif self.leases:
            expected = Reason.LEASE_HELD
        elif self.lent:
            expected = Reason.READER_IN_USE
        if self.refusing(expected, lambda: self.rig.readers.reserve(STATION, holder)):
            self.reserved = holder

    @rule(holder=st.sampled_from(["activation 1", "activation 2"]))
    def let_the_station_go(self, holder: str) -> None:
        self.rig.readers.release(STATION, holder)
        self.reserved = None if self.reserved == holder else self.reserved

    @rule(slot=slots, who=people)
    def lend(self, slot: str, who: str) -> None:
        self._run(self._lend(slot, who))

    async def _lend(self, slot: str, who: str) -> None:
        self.compare()
        known = self.rig.readers._state.slots.get(slot)
        expected = None
        if known is None:
            expected = Reason.NOT_FOUND
        elif known.hung:
            expected = Reason.READER_UNAVAILABLE
        elif self.lent.get(slot, self.name(who)) != self.name(who):
            expected = Reason.READER_IN_USE
        elif any(held.lease.insertion.reader == slot for held in self.leases.values()):
            expected = Reason.LEASE_HELD
        elif self.reserved:
            expected = Reason.BUSY
        if self.refusing(expected, lambda: self.rig.readers.lend(slot, self.name(who))):
            self.lent[slot] = self.name(who)

    @rule(slot=slots, who=people)
    def take_back(self, slot: str, who: str) -> None:
        own = self.lent.get(slot) == self.name(who)
        if self.refusing(None if own else Reason.NOT_FOUND, lambda: self.rig.readers.take_back(slot, self.name(who))):
            del self.lent[slot]

    def compare(self) -> None:
        """Forget the leases that have ended by themselves, of which each needs a cause that the model knows."""
        readers = self.rig.readers
        for name, held in list(self.leases.items()):
            over = readers.reader_of(held.lease.insertion.id) is None
            late = held.lease.expires <= self.rig.clock.monotonic()
            if readers.lasts(name):
                assert not over
                assert not late
            else:
                assert over or late or held.broken or self.under_way(held)
                del self.leases[name]

    def under_way(self, held: Held) -> bool:
        """Tell whether work may have failed under a lease without its caller having been told yet."""
        return any(slot == held.lease.insertion.reader and not job.done() for job, slot in self.jobs.items())

    @rule(slot=slots, reason=failures)
    def next_command_fails(self, slot: str, reason: Reason) -> None:
        if slot in self.backend.bays:
            self.backend.bays[slot].on_transmit.append(CarddError(reason))

    @rule(slot=slots)
    def next_connection_fails(self, slot: str) -> None:
        if slot in self.backend.bays:
            self.backend.bays[slot].on_connect.append(CarddError(Reason.CARD_MUTE))

    @rule(slot=slots, call=st.sampled_from(["on_connect", "on_transmit", "on_disconnect"]), given_up=st.booleans())
    def next_call_hangs(self, slot: str, call: str, *, given_up: bool) -> None:
        bay = self.backend.bays.get(slot)
        if bay is not None and slot not in self.gates:
            gate = self.gates[slot] = Gate()
            getattr(bay, call).append(gate)
            if given_up:
                self.work(slot, 1, "", rests=False)
                self.time_passes(JOB_S)
                self.time_passes(GRACE_S)

    @rule(slot=slots)
    def call_returns(self, slot: str) -> None:
        gate = self.gates.pop(slot, None)
        if gate is not None:
            gate.open()
            self._run(self._returned())

    async def _returned(self) -> None:
        """Wait until no reader is given up any more whose call can return."""

        def usable() -> bool:
            state = self.rig.readers._state
            return not any(slot.hung for name, slot in state.slots.items() if name not in self.gates)

        await self.rig.until(usable, "the readers' return")

    @rule(seconds=st.sampled_from([0.3, 0.6, 1.0, JOB_S, LONG_S]))
    def time_passes(self, seconds: float) -> None:
        self._run(self._advance(seconds))

    async def _advance(self, seconds: float) -> None:
        # in steps, so that work which ends in time ends before its deadline falls due
        await self._rest()
        self.rig.clock.advance(seconds)
        await self.rig.drained()

    @rule()
    def everything_rests(self) -> None:
        self.rest()

    # -- what must be so --

    @invariant()
    def work_reaches_its_own_card_only(self) -> None:
        for card in self.cards:
            assert {Command.decode(command).data for command in list(card.commands)} <= {card.atr}

    @invariant()
    def nobody_works_on_a_card_between_the_work_under_a_lease(self) -> None:
        for card in self.cards:
            numbers = [command.p1 << 8 | command.p2 for command in map(Command.decode, list(card.commands))]
            runs = [number for number, _ in groupby(numbers) if number]
            assert len(runs) == len(set(runs))

    @invariant()
    def a_lease_has_one_open_card_from_its_first_command_to_its_end(self) -> None:
        for channels in self.channels.values():
            assert all(channel is channels[0] for channel in channels)

    @invariant()
    def nothing_is_held_that_is_over_and_nothing_by_nobody(self) -> None:
        self.compare()
        holds = self.rig.readers._holds
        living = {self.name(who) for who in PEOPLE}
        assert holds._leased.keys() == self.leases.keys()
        assert {one.holder for one in holds._leased.values()} | set(self.lent.values()) <= living
        assert len({one.lease.insertion.id for one in holds._leased.values()}) == len(self.leases)
        assert holds.holder(STATION) == self.reserved
        assert not (self.reserved and (self.leases or self.lent))
        assert {slot: one.holder for slot, one in holds._lent.items()} == self.lent
        for slot in self.lent:
            assert self.rig.readers.insertion_in(slot) is None

    @invariant()
    def every_insertion_is_told_once_and_ended_once(self) -> None:
        lasting: dict[str, Insertion] = {}
        numbers: list[int] = []
        attached: set[str] = set()
        up = True
        for fact in list(self.rig.facts):
            match fact:
                case ReaderAttached(reader=reader):
                    assert reader not in attached
                    attached.add(reader)
                case ReaderDetached(reader=reader):
                    assert reader not in lasting
                    attached.remove(reader)
                case CardInserted(insertion=insertion):
                    assert up
                    assert insertion.reader in attached
                    assert insertion.reader not in lasting
                    lasting[insertion.reader] = insertion
                    numbers.append(int(insertion.id.removeprefix("7-")))
                case CardRemoved(insertion=insertion):
                    assert lasting.pop(insertion.reader) == insertion
                case ServiceWentDown():
                    assert up
                    assert not lasting
                    up = False
                case ServiceCameUp():
                    assert not up
                    up = True
                case _:
                    continue
        assert numbers == list(range(1, len(numbers) + 1))
        for slot in SLOTS:
            assert self.rig.readers.insertion_in(slot) == lasting.get(slot)

    def teardown(self) -> None:
        """In the end every caller has its answer, and what is told is what is there."""
        for gate in self.gates.values():
            gate.open()
        self.gates.clear()
        for bay in self.backend.bays.values():
            bay.on_transmit.clear()
        for who in PEOPLE:
            self.connection_closes(who)
        self.rig.readers.release(STATION, self.reserved or "")
        self.reserved = None
        self.service_comes()
        self.rest()
        self._run(self._returned())
        self.time_passes(LONG_S)
        self.backend.look()
        self.rest()
        self.time_passes(LONG_S)
        assert not self.jobs
        self.nothing_is_held_that_is_over_and_nothing_by_nobody()
        self._run(self.rig.until(lambda: not any(bay.open_now for bay in self.backend.bays.values()), "closed cards"))
        for slot, bay in self.backend.bays.items():
            insertion = self.rig.readers.insertion_in(slot)
            answers = bay.card is not None and bay.presence is None
            assert (insertion.atr if insertion else None) == (bay.card.atr if bay.card and answers else None)
        states = {view.reader: view.state for view in self.rig.readers.views()}
        assert states.keys() == self.backend.bays.keys()
        assert ReaderState.UNAVAILABLE not in states.values()
        self._run(self.rig.__aexit__())
        self.loop.close()


TestReaders = ReadersMachine.TestCase
TestReaders.settings = settings(
    max_examples=100, stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
