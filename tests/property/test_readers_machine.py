"""Readers under any order of events, with real threads: what is told of cards, and which card work reaches."""

import asyncio
from collections.abc import Coroutine
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
from cardd.readers.insertion import Insertion
from cardd.readers.supervisor import GRACE_S

SLOTS = ("R", "Q")
JOB_S = 10.0
LONG_S = 200.0

slots = st.sampled_from(SLOTS)
failures = st.sampled_from([Reason.CARD_REMOVED, Reason.CARD_UNPOWERED, Reason.PCSC_UNAVAILABLE])


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
        insertion = self.rig.readers.insertion_in(slot)
        if insertion is None:
            self.put_card(slot, seen=True)
            insertion = self.rig.readers.insertion_in(slot)
        if insertion is not None:
            if before == "put":
                self.backend.put(slot, self.new_card())
            elif before == "exchange":
                bay.card = self.new_card()
            self._run(self._work(slot, insertion, commands))
            if rests:
                self.rest()

    async def _work(self, slot: str, insertion: Insertion, commands: int) -> None:
        def operation(channel: Channel, mine: Insertion) -> int:
            assert mine == insertion
            for _ in range(commands):
                channel.expect(Command(0x00, 0xA4, 0x04, 0x00, mine.atr))
            return commands

        task = asyncio.create_task(self.rig.readers.run(insertion.id, operation, timeout_s=JOB_S))
        self.jobs[task] = slot
        await asyncio.sleep(0)

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
        self.service_comes()
        self.rest()
        self._run(self._returned())
        self.time_passes(LONG_S)
        self.backend.look()
        self.rest()
        self.time_passes(LONG_S)
        assert not self.jobs
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
