import asyncio
import threading

import pytest
from support.readers import Card, Gate, Rig, ScriptedBackend, Watchful

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.iso7816.apdu import Command
from cardd.iso7816.channel import Channel
from cardd.readers.config import ReaderConfig, ReaderMatch, StationConfig
from cardd.readers.facts import ReaderState, ReaderUnavailable
from cardd.readers.insertion import Insertion
from cardd.readers.reconcile import SETTLE_S
from cardd.readers.supervisor import GRACE_S

A, B = b"\x3b\x0a", b"\x3b\x0b"
SELECT = Command(0x00, 0xA4, 0x04, 0x00, b"\x01")
WORK_S = 5.0

pytestmark = pytest.mark.asyncio


def select(channel: Channel, _insertion: Insertion) -> int:
    return channel.send(SELECT).sw


def twice(channel: Channel, insertion: Insertion) -> int:
    select(channel, insertion)
    return select(channel, insertion)


def reason(task: "asyncio.Task[int]") -> Reason | None:
    error = task.exception()
    return error.reason if isinstance(error, CarddError) else None


def threads() -> list[threading.Thread]:
    """Return the threads that work in the reader."""
    return [thread for thread in threading.enumerate() if thread.name == "reader forgotten"]


async def hang(r: Rig, gate: Gate, insertion: Insertion) -> "asyncio.Task[int]":
    """Run work that hangs at a gate until the reader is given up."""
    task = asyncio.create_task(r.readers.run(insertion.id, twice, timeout_s=WORK_S))
    await r.until(gate.reached.is_set)
    r.clock.advance(WORK_S)
    await r.until(task.done)
    return task


@pytest.mark.parametrize("call", ["on_connect", "on_transmit"])
async def test_a_call_that_does_not_return_costs_its_caller_no_more_than_the_deadline(call: str) -> None:
    async with Rig(ScriptedBackend("R")) as r:
        gate = Gate()
        insertion = await r.insert("R", Card(A))
        getattr(r.backend.bays["R"], call).append(gate)
        task = await hang(r, gate, insertion)
        assert reason(task) is Reason.TIMEOUT
        assert r.told(ReaderUnavailable) == []
        r.clock.advance(GRACE_S)
        assert len(r.told(ReaderUnavailable)) == 1
        assert r.readers.views()[0].state is ReaderState.UNAVAILABLE
        assert r.stays[-1] == ("transport_error", "7-1")
        gate.open()


async def test_a_late_answer_is_dropped_and_no_command_follows_it() -> None:
    async with Rig(ScriptedBackend("R")) as r:
        gate = Gate()
        card = Card(A)
        insertion = await r.insert("R", card)
        bay = r.backend.bays["R"]
        bay.on_transmit.append(gate)
        await hang(r, gate, insertion)
        r.clock.advance(GRACE_S)
        gate.open()
        await r.until(lambda: bay.open_now == 0)
        assert card.commands == [SELECT.encode()]


async def test_a_reader_is_usable_again_when_the_call_returns() -> None:
    async with Rig(ScriptedBackend("R")) as r:
        gate = Gate()
        insertion = await r.insert("R", Card(A))
        bay = r.backend.bays["R"]
        bay.on_transmit.append(gate)
        await hang(r, gate, insertion)
        r.clock.advance(GRACE_S)
        gate.open()
        await r.until(lambda: r.readers.views()[0].state is ReaderState.PRESENT)
        r.clock.advance(SETTLE_S)
        assert r.stays[-1] == ("in", "7-2")
        assert await r.readers.run("7-2", select, timeout_s=WORK_S) == 0x9000
        assert bay.connections == 2


async def test_a_call_that_returns_within_the_grace_changes_nothing() -> None:
    async with Rig(ScriptedBackend("R")) as r:
        gate = Gate()
        insertion = await r.insert("R", Card(A))
        r.backend.bays["R"].on_transmit.append(gate)
        await hang(r, gate, insertion)
        gate.open()
        assert await r.readers.run(insertion.id, select, timeout_s=WORK_S) == 0x9000
        r.clock.advance(GRACE_S)
        assert r.told(ReaderUnavailable) == []
        assert r.stays == [("in", "7-1")]


async def test_work_behind_a_call_that_hangs_is_refused_when_the_reader_is_given_up() -> None:
    async with Rig(ScriptedBackend("R")) as r:
        gate = Gate()
        insertion = await r.insert("R", Card(A))
        r.backend.bays["R"].on_transmit.append(gate)
        first = asyncio.create_task(r.readers.run(insertion.id, select, timeout_s=WORK_S))
        await r.until(gate.reached.is_set)
        short = asyncio.create_task(r.readers.run(insertion.id, select, timeout_s=WORK_S / 2))
        long = asyncio.create_task(r.readers.run(insertion.id, select, timeout_s=WORK_S * 10))
        await asyncio.sleep(0)
        r.clock.advance(WORK_S + GRACE_S)
        await asyncio.wait([first, short, long])
        assert [reason(task) for task in (first, short, long)] == [
            Reason.TIMEOUT,
            Reason.TIMEOUT,
            Reason.READER_UNAVAILABLE,
        ]
        gate.open()


async def test_a_result_that_is_known_is_not_taken_away_by_a_disconnection_that_hangs() -> None:
    async with Rig(ScriptedBackend("R")) as r:
        gate = Gate()
        insertion = await r.insert("R", Card(A))
        r.backend.bays["R"].on_disconnect.append(gate)
        task = await hang(r, gate, insertion)
        assert task.result() == 0x9000
        r.clock.advance(GRACE_S)
        assert r.readers.views()[0].state is ReaderState.UNAVAILABLE
        gate.open()
        await r.until(lambda: r.readers.views()[0].state is ReaderState.PRESENT)


async def test_one_reader_that_hangs_leaves_the_others_alone() -> None:
    async with Rig(ScriptedBackend("R", "Q")) as r:
        gate = Gate()
        stuck = await r.insert("R", Card(A))
        other = await r.insert("Q", Card(B))
        r.backend.bays["R"].on_connect.append(gate)
        await hang(r, gate, stuck)
        r.clock.advance(GRACE_S)
        assert await r.readers.run(other.id, select, timeout_s=WORK_S) == 0x9000
        gate.open()


async def test_a_card_put_in_while_the_reader_hangs_is_told_when_it_can_be_used() -> None:
    async with Rig(ScriptedBackend("R")) as r:
        gate = Gate()
        insertion = await r.insert("R", Card(A))
        r.backend.bays["R"].on_transmit.append(gate)
        await hang(r, gate, insertion)
        r.clock.advance(GRACE_S)
        r.backend.put("R", Card(B))
        await r.seen()
        assert r.readers.insertion_in("R") is None
        gate.open()
        await r.until(lambda: r.readers.views()[0].state is ReaderState.PRESENT)
        r.clock.advance(SETTLE_S)
        found = r.readers.insertion_in("R")
        assert found is not None
        assert found.atr == B


async def test_a_hung_reader_that_is_plugged_in_again_is_usable_without_the_call_returning() -> None:
    async with Rig(ScriptedBackend("R")) as r:
        gate = Gate()
        insertion = await r.insert("R", Card(A))
        bay = r.backend.bays["R"]
        bay.on_connect.append(gate)
        await hang(r, gate, insertion)
        r.clock.advance(GRACE_S)
        del r.backend.bays["R"]
        await r.seen()
        r.backend.bays["R"] = bay
        await r.seen()
        found = r.readers.insertion_in("R")
        assert found is not None
        assert await r.readers.run(found.id, select, timeout_s=WORK_S) == 0x9000
        before = list(r.facts)
        gate.open()
        await r.seen()
        assert r.facts[: len(before)] == before
        assert r.readers.insertion_in("R") == found


async def test_the_operator_can_have_a_hung_reader_forgotten() -> None:
    async with Rig(ScriptedBackend("forgotten")) as r:
        gate = Gate()
        insertion = await r.insert("forgotten", Card(A))
        r.backend.bays["forgotten"].on_connect.append(gate)
        await hang(r, gate, insertion)
        r.clock.advance(GRACE_S)
        r.readers.forget_hung("elsewhere")
        assert r.readers.views()[0].state is ReaderState.UNAVAILABLE
        r.readers.forget_hung("desk")
        r.clock.advance(SETTLE_S)
        assert await r.readers.run("7-2", select, timeout_s=WORK_S) == 0x9000
        # the thread that hung goes when its call returns
        assert len(threads()) == 2
        gate.open()
        await r.until(lambda: len(threads()) == 1, "the end of the thread that was left behind")


async def test_closing_answers_every_caller_and_waits_for_no_thread() -> None:
    r = Rig(ScriptedBackend("R"))
    async with r:
        gate = Gate()
        insertion = await r.insert("R", Card(A))
        r.backend.bays["R"].on_transmit.append(gate)
        running = asyncio.create_task(r.readers.run(insertion.id, select, timeout_s=WORK_S))
        await r.until(gate.reached.is_set)
        waiting = asyncio.create_task(r.readers.run(insertion.id, select, timeout_s=WORK_S))
        await asyncio.sleep(0)
    await asyncio.wait([running, waiting])
    assert reason(running) is reason(waiting) is Reason.READER_UNAVAILABLE
    told = list(r.facts)
    r.backend.take("R")
    gate.open()
    await r.until(lambda: r.backend.bays["R"].open_now == 0)
    assert r.facts == told


async def test_every_worker_is_a_daemon_thread_and_ends_with_its_reader() -> None:
    async with Rig(ScriptedBackend("R", "Q")) as r:
        threads = {name: worker._thread for name, worker in r.readers._workers.items()}
        assert threads.keys() == {"R", "Q"}
        assert all(thread.daemon and thread.is_alive() for thread in threads.values())
        del r.backend.bays["Q"]
        await r.seen()
        await r.until(lambda: not threads["Q"].is_alive())
        assert threads["R"].is_alive()


async def test_where_other_programs_keep_the_reader_that_is_what_is_told() -> None:
    async with Rig(Watchful("R")) as r:
        gate = Gate()
        insertion = await r.insert("R", Card(A))
        r.backend.bays["R"].on_connect.append(gate)
        task = await hang(r, gate, insertion)
        assert reason(task) is Reason.READER_IN_USE
        r.clock.advance(GRACE_S)
        await r.until(lambda: r.told(ReaderUnavailable) != [])
        assert r.told(ReaderUnavailable) == [
            ReaderUnavailable("R", "R: others are at R", Reason.READER_IN_USE, "till (7)")
        ]
        assert r.readers.views()[0].state is ReaderState.IN_USE
        gate.open()
        await r.until(lambda: r.readers.views()[0].state is ReaderState.PRESENT)


async def test_a_call_that_has_returned_while_it_was_asked_who_is_in_the_way_is_no_harm() -> None:
    backend = Watchful("R")
    async with Rig(backend) as r:
        gate = Gate()
        insertion = await r.insert("R", Card(A))
        backend.bays["R"].on_connect.append(gate)
        await hang(r, gate, insertion)
        backend.answer = Gate()
        r.clock.advance(GRACE_S)
        await r.until(backend.answer.reached.is_set)
        gate.open()
        await r.until(lambda: backend.bays["R"].open_now == 0 and backend.bays["R"].connections == 1)
        backend.answer.open()
        assert await r.readers.run(insertion.id, select, timeout_s=WORK_S) == 0x9000
        assert r.told(ReaderUnavailable) == []


async def test_a_call_that_has_returned_while_that_was_asked_may_be_followed_by_one_that_hangs() -> None:
    backend = Watchful("R")
    async with Rig(backend) as r:
        entrance, exit_ = Gate(), Gate()
        insertion = await r.insert("R", Card(A))
        backend.bays["R"].on_connect.append(entrance)
        backend.bays["R"].on_disconnect.append(exit_)
        await hang(r, entrance, insertion)
        backend.answer = Gate()
        r.clock.advance(GRACE_S)
        await r.until(backend.answer.reached.is_set)
        entrance.open()
        await r.until(exit_.reached.is_set)
        backend.answer.open()

        def given_up() -> bool:
            r.clock.advance(GRACE_S)
            return r.told(ReaderUnavailable) != []

        await r.until(given_up)
        assert [fact.reason for fact in r.told(ReaderUnavailable)] == [Reason.READER_UNAVAILABLE]  # type: ignore[union-attr]
        exit_.open()
        await r.until(lambda: r.readers.views()[0].state is ReaderState.PRESENT)


async def test_a_reader_in_a_call_that_is_no_entrance_is_not_said_to_be_in_use() -> None:
    async with Rig(Watchful("R")) as r:
        gate = Gate()
        insertion = await r.insert("R", Card(A))
        r.backend.bays["R"].on_transmit.append(gate)
        assert reason(await hang(r, gate, insertion)) is Reason.TIMEOUT
        r.clock.advance(GRACE_S)
        assert [fact.reason for fact in r.told(ReaderUnavailable)] == [Reason.READER_UNAVAILABLE]  # type: ignore[union-attr]
        gate.open()


async def test_a_reader_that_hangs_and_says_late_whose_it_is_takes_no_work_until_its_call_returns() -> None:
    rules = (ReaderConfig(ReaderMatch(serial="till"), name="till"), ReaderConfig(ReaderMatch(name="R"), name="desk"))
    async with Rig(ScriptedBackend("R"), (StationConfig("s", readers=rules),)) as r:
        gate, bay = Gate(), r.backend.bays["R"]
        r.backend.put("R", Card(A))
        await r.seen()
        insertion = r.readers.insertion_in("desk")
        assert insertion is not None
        bay.on_transmit.append(gate)
        await hang(r, gate, insertion)
        r.clock.advance(GRACE_S)
        bay.serial = "till"
        await r.seen()
        assert [(view.reader, view.state) for view in r.readers.views()] == [("till", ReaderState.UNAVAILABLE)]
        assert r.readers.insertion_in("till") is None
        gate.open()
        await r.until(lambda: r.readers.views()[0].state is ReaderState.PRESENT)
        r.clock.advance(SETTLE_S)
        again = r.readers.insertion_in("till")
        assert again is not None
        assert await r.readers.run(again.id, select, timeout_s=WORK_S) == 0x9000
