import asyncio
from threading import Thread

import pytest
from support.readers import Card, Gate, Rig, ScriptedBackend, Watchful

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.iso7816.apdu import Command
from cardd.iso7816.channel import Channel
from cardd.iso7816.device import Presence
from cardd.readers.config import ReaderConfig, ReaderMatch, Role, StationConfig
from cardd.readers.facts import ReaderState, ReaderUnavailable
from cardd.readers.insertion import Insertion
from cardd.readers.reconcile import SETTLE_S
from cardd.readers.supervisor import GRACE_S
from cardd.readers.worker import HeldChannel

A, SAM = b"\x3b\x0a", b"\x3b\x5a"
SELECT = Command(0x00, 0xA4, 0x04, 0x00, b"\x01")
DELIVER_KEY = Command(0x80, 0xDE, 0x00, 0x00, b"\x01")
WORK_S = 5.0
DESK = StationConfig(
    "desk", readers=(ReaderConfig(ReaderMatch(name="S"), Role.SAM, "module"), ReaderConfig(ReaderMatch(name="R")))
)

pytestmark = pytest.mark.asyncio


def rig() -> Rig:
    return Rig(ScriptedBackend("R", "S"), (DESK,))


def ask(held: HeldChannel) -> bool:
    held.channel.expect(SELECT)
    return held.fresh


async def place_module(r: Rig, card: Card) -> None:
    r.backend.put("S", card)
    r.backend.look()
    await r.until(lambda: r.readers.insertion_in("module") is not None)


async def call(r: Rig, operation: object = ask, reader: str = "module") -> bool:
    """Call the module from another thread, as a counter's worker does."""
    deadline = r.clock.monotonic() + WORK_S
    return await asyncio.to_thread(r.readers.call_on, reader, operation, deadline=deadline)  # type: ignore[arg-type]


async def refused(r: Rig, reader: str = "module") -> Reason:
    with pytest.raises(CarddError) as caught:
        await call(r, reader=reader)
    return caught.value.reason


async def test_the_modules_handle_stays_open_and_each_call_is_one_transaction() -> None:
    async with rig() as r:
        await place_module(r, Card(SAM))
        assert [await call(r), await call(r)] == [True, False]
        bay = r.backend.bays["S"]
        assert bay.calls == ["connect exclusive", "begin", "end", "begin", "end"]
        assert bay.open_now == 1


async def test_a_module_is_an_insertion_of_its_role() -> None:
    async with rig() as r:
        await place_module(r, Card(SAM))
        assert r.readers.insertion_in("module") == Insertion("7-1", "module", "desk", SAM, role=Role.SAM, pcsc_name="S")


async def test_counter_work_asks_the_module_from_its_own_thread() -> None:
    async with rig() as r:
        module = Card(SAM)
        await place_module(r, module)
        insertion = await r.insert("R", Card(A))

        def operation(_channel: Channel, _insertion: Insertion) -> bool:
            return r.readers.call_on("module", ask, deadline=r.clock.monotonic() + WORK_S)

        assert await r.readers.run(insertion.id, operation, timeout_s=WORK_S) is True
        assert module.commands == [SELECT.encode()]


async def test_a_handle_that_was_lost_while_idle_is_opened_anew() -> None:
    async with rig() as r:
        await place_module(r, Card(SAM))
        await call(r)
        bay = r.backend.bays["S"]
        bay.on_begin.append(CarddError(Reason.CARD_REMOVED, "reset by another program"))
        assert await call(r) is True
        assert (bay.connections, bay.open_now) == (2, 1)
        assert r.stays == [("in", "7-1")]


async def test_a_module_lost_during_a_call_is_a_new_insertion_and_usable_again() -> None:
    async with rig() as r:
        await place_module(r, Card(SAM))
        bay = r.backend.bays["S"]
        bay.on_transmit.append(CarddError(Reason.CARD_REMOVED))
        assert await refused(r) is Reason.CARD_REMOVED
        assert await refused(r) is Reason.NO_CARD
        r.clock.advance(SETTLE_S)
        assert r.stays == [("in", "7-1"), ("transport_error", "7-1"), ("in", "7-2")]
        assert await call(r) is True


async def test_a_call_never_reaches_the_module_that_took_the_place_of_its_own() -> None:
    async with rig() as r:
        await place_module(r, Card(SAM))
        await call(r)
        other = Card(A)
        bay = r.backend.bays["S"]
        bay.card = other
        bay.on_begin.append(CarddError(Reason.CARD_REMOVED))
        assert await refused(r) is Reason.STALE_INSERTION
        assert other.commands == []


async def test_a_module_that_was_exchanged_is_opened_anew() -> None:
    async with rig() as r:
        await place_module(r, Card(SAM))
        await call(r)
        await place_module(r, Card(SAM))
        await r.seen()
        assert await call(r) is True
        assert r.backend.bays["S"].open_now == 1


async def test_the_handle_is_closed_when_the_module_leaves() -> None:
    async with rig() as r:
        await place_module(r, Card(SAM))
        await call(r, lambda held: held.channel.expect(DELIVER_KEY) == b"")
        r.backend.take("S")
        r.backend.look()
        await r.until(lambda: r.backend.bays["S"].open_now == 0)
        assert r.backend.bays["S"].disconnects == [True]


async def test_work_on_the_modules_insertion_does_not_meet_its_open_handle() -> None:
    async with rig() as r:
        await place_module(r, Card(SAM))
        await call(r)
        assert await r.readers.run("7-1", lambda c, _i: c.send(SELECT).sw, timeout_s=WORK_S) == 0x9000
        assert await call(r) is True


async def test_what_a_call_raises_reaches_its_caller_and_leaves_the_handle_open() -> None:
    async with rig() as r:
        await place_module(r, Card(SAM))

        def fail(_held: HeldChannel) -> bool:
            raise LookupError("the call's own")

        with pytest.raises(LookupError):
            await call(r, fail)
        assert await call(r) is False


@pytest.mark.parametrize(
    ("presence", "expected"),
    [
        (Presence.EMPTY, Reason.NO_CARD),
        (Presence.MUTE, Reason.CARD_MUTE),
        (Presence.UNPOWERED, Reason.CARD_UNPOWERED),
        (Presence.UNAVAILABLE, Reason.READER_UNAVAILABLE),
    ],
)
async def test_a_reader_without_a_module_says_why(presence: Presence, expected: Reason) -> None:
    async with rig() as r:
        r.backend.bays["S"].presence = presence
        await r.seen()
        assert await refused(r) is expected


async def test_only_sam_readers_are_called() -> None:
    async with rig() as r:
        assert await refused(r, "R") is Reason.INVALID
        assert await refused(r, "nowhere") is Reason.NOT_FOUND


async def test_a_blocking_call_from_the_event_loop_is_refused() -> None:
    async with rig() as r:
        await place_module(r, Card(SAM))
        with pytest.raises(RuntimeError):
            r.readers.call_on("module", ask, deadline=r.clock.monotonic() + WORK_S)


async def test_a_call_from_the_modules_own_thread_is_refused() -> None:
    async with rig() as r:
        await place_module(r, Card(SAM))

        def again(_held: HeldChannel) -> bool:
            return r.readers.call_on("module", ask, deadline=r.clock.monotonic() + WORK_S)

        with pytest.raises(RuntimeError):
            await call(r, again)


async def test_a_module_that_hangs_is_given_up_and_comes_back_with_a_fresh_handle() -> None:
    async with rig() as r:
        await place_module(r, Card(SAM))
        await call(r)
        gate = Gate()
        bay = r.backend.bays["S"]
        bay.on_transmit.append(gate)
        deadline = r.clock.monotonic() + 0.2
        task = asyncio.create_task(asyncio.to_thread(r.readers.call_on, "module", ask, deadline=deadline))
        await r.until(gate.reached.is_set)
        await r.until(task.done)
        error = task.exception()
        assert isinstance(error, CarddError)
        assert error.reason is Reason.TIMEOUT
        r.clock.advance(0.2 + GRACE_S)
        assert len(r.told(ReaderUnavailable)) == 1
        assert await refused(r) is Reason.READER_UNAVAILABLE
        gate.open()
        await r.until(lambda: {v.state for v in r.readers.views() if v.reader == "module"} == {ReaderState.PRESENT})
        r.clock.advance(SETTLE_S)
        assert await call(r) is True
        assert (bay.connections, bay.open_now) == (2, 1)


async def test_a_call_that_is_stopped_resets_the_module_that_it_opened_with_its_transaction() -> None:
    async with rig() as r:
        await place_module(r, Card(SAM))
        opened = Gate()

        def deliver_and_go_on(held: HeldChannel) -> bool:
            held.channel.send(DELIVER_KEY)
            opened()
            return ask(held)

        task = asyncio.create_task(call(r, deliver_and_go_on))
        await r.until(opened.reached.is_set)
        r.clock.advance(WORK_S)
        opened.open()
        with pytest.raises(CarddError):
            await task
        bay = r.backend.bays["S"]
        await r.until(lambda: bay.open_now == 0)
        assert (bay.calls, bay.disconnects) == (["connect exclusive", "begin", "end with reset"], [False])


async def test_a_call_that_goes_well_does_not_wake_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig() as r:
        await place_module(r, Card(SAM))
        await call(r)
        woken: list[object] = []
        monkeypatch.setattr(asyncio.get_running_loop(), "call_soon_threadsafe", lambda *said: woken.append(said))
        fresh: list[bool] = []
        deadline = r.clock.monotonic() + WORK_S
        caller = Thread(target=lambda: fresh.append(r.readers.call_on("module", ask, deadline=deadline)))
        caller.start()
        caller.join(WORK_S)
        monkeypatch.undo()
        # one after it on the same worker: the first has been told, if it is told at all
        await call(r)
        assert fresh == [False]
        assert woken == []


async def test_calls_end_with_the_module_the_running_one_at_its_next_exchange() -> None:
    async with rig() as r:
        module = Card(SAM)
        await place_module(r, module)
        await call(r)
        gate = Gate()
        r.backend.bays["S"].on_transmit.append(gate)

        def twice(held: HeldChannel) -> bool:
            return ask(held) and ask(held)

        running = asyncio.create_task(call(r, twice))
        await r.until(gate.reached.is_set)
        queued = asyncio.create_task(call(r))
        await r.until(lambda: len(r.readers._supervisor._all()) == 2)
        module.commands.clear()
        r.backend.take("S")
        await r.seen()
        with pytest.raises(CarddError) as dropped:
            await queued
        assert dropped.value.reason is Reason.STALE_INSERTION
        gate.open()
        with pytest.raises(CarddError) as stopped:
            await running
        assert stopped.value.reason is Reason.CARD_REMOVED
        assert module.commands == []
        assert r.readers._supervisor._all() == {}


async def test_closing_ends_the_calls_that_wait_for_a_module() -> None:
    async with rig() as r:
        await place_module(r, Card(SAM))
        gate = Gate()
        r.backend.bays["S"].on_transmit.append(gate)
        running = asyncio.create_task(call(r))
        await r.until(gate.reached.is_set)
        queued = asyncio.create_task(call(r))
        await r.until(lambda: len(r.readers._supervisor._all()) == 2)
        r.readers.close()
        with pytest.raises(CarddError) as caught:
            await queued
        assert caught.value.reason is Reason.READER_UNAVAILABLE
        gate.open()
        with pytest.raises(CarddError) as stopped:
            await running
        assert stopped.value.reason is Reason.READER_UNAVAILABLE


async def test_a_call_that_ends_as_its_caller_gives_up_leaves_nothing_watched() -> None:
    async with rig() as r:
        await place_module(r, Card(SAM))
        gate = Gate()
        r.backend.bays["S"].on_transmit.append(gate)
        deadline = r.clock.monotonic() + 0.1
        task = asyncio.create_task(asyncio.to_thread(r.readers.call_on, "module", ask, deadline=deadline))
        await r.until(task.done)
        gate.open()
        await r.until(lambda: r.readers._supervisor._all() == {})
        r.clock.advance(WORK_S + GRACE_S)
        assert r.told(ReaderUnavailable) == []
        assert isinstance(task.exception(), CarddError)
        assert await call(r) is True


async def occupied(r: Rig) -> Gate:
    """Lay a module in and let another program keep it."""
    gate = Gate()
    await place_module(r, Card(SAM))
    r.backend.bays["S"].on_connect.append(gate)
    return gate


async def test_a_module_that_another_program_keeps_is_told_so_with_its_readers_name() -> None:
    async with Rig(Watchful("R", "S"), (DESK,)) as r:
        gate = await occupied(r)
        with pytest.raises(CarddError) as caught:
            await asyncio.to_thread(r.readers.call_on, "module", ask, deadline=r.clock.monotonic() + 0.2)
        assert caught.value.reason is Reason.READER_IN_USE
        assert caught.value.facts == {"programs": "till (7)", "reader": "module"}
        gate.open()


async def test_work_that_waits_for_such_a_module_beyond_its_own_deadline_is_told_the_same() -> None:
    async with Rig(Watchful("R", "S"), (DESK,)) as r:
        gate = await occupied(r)
        insertion = await r.insert("R", Card(A))

        def operation(_channel: Channel, _insertion: Insertion) -> bool:
            return r.readers.call_on("module", ask, deadline=r.clock.monotonic() + 3)

        task = asyncio.create_task(r.readers.run(insertion.id, operation, timeout_s=WORK_S))
        await r.until(gate.reached.is_set)
        r.clock.advance(WORK_S)
        with pytest.raises(CarddError) as caught:
            await task
        assert caught.value.reason is Reason.READER_IN_USE
        assert caught.value.facts["reader"] == "module"
        gate.open()
