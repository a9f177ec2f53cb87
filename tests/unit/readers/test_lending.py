import asyncio

import pytest
from support.readers import Bay, Card, Gate, Rig, ScriptedBackend

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.iso7816.apdu import Command
from cardd.iso7816.channel import Channel
from cardd.iso7816.device import Presence, ServiceDown, ServiceUp
from cardd.readers.config import ReaderConfig, ReaderMatch, Role, StationConfig
from cardd.readers.facts import CardTrouble, ReaderState
from cardd.readers.holding import LET_GO_S
from cardd.readers.insertion import Insertion
from cardd.readers.supervisor import GRACE_S
from cardd.readers.worker import HeldChannel

A, B = b"\x3b\x0a", b"\x3b\x0b"
SELECT = Command(0x00, 0xA4, 0x04, 0x00, b"\x01")
WORK_S = 5.0
ME, OTHER = "c-1", "c-2"

pytestmark = pytest.mark.asyncio


def select(channel: Channel, _insertion: Insertion) -> int:
    return channel.send(SELECT).sw


def state(r: Rig) -> ReaderState:
    return r.readers.views()[0].state


async def test_a_lent_reader_ends_its_insertion_and_begins_none_until_it_is_taken_back() -> None:
    async with Rig(ScriptedBackend("R")) as r:
        first = await r.insert("R", Card(A))
        await r.readers.lend("R", ME)
        assert r.stays == [("in", "7-1"), ("lent", "7-1")]
        assert state(r) is ReaderState.IN_USE
        r.backend.put("R", Card(B))
        await r.seen()
        assert r.readers.insertion_in("R") is None
        with pytest.raises(CarddError) as caught:
            await r.readers.run(first.id, select, timeout_s=WORK_S)
        assert caught.value.reason is Reason.STALE_INSERTION
        r.readers.take_back("R", ME)
        found = r.readers.insertion_in("R")
        assert found is not None
        # nobody saw it go in: nothing begins by itself because of it
        assert (found.id, found.atr, found.at_start) == ("7-2", B, True)
        assert state(r) is ReaderState.PRESENT
        assert r.backend.bays["R"].connections == 0


async def test_a_card_put_in_after_the_reader_was_taken_back_was_seen_going_in() -> None:
    async with Rig(ScriptedBackend("R")) as r:
        await r.readers.lend("R", ME)
        r.readers.take_back("R", ME)
        assert (await r.insert("R", Card(A))).at_start is False


async def test_lending_is_done_once_the_reader_is_closed() -> None:
    async with Rig(ScriptedBackend("R")) as r:
        gate = Gate()
        card = Card(A)
        insertion = await r.insert("R", card)
        bay = r.backend.bays["R"]
        bay.on_transmit.append(gate)

        def twice(channel: Channel, mine: Insertion) -> int:
            select(channel, mine)
            return select(channel, mine)

        task = asyncio.create_task(r.readers.run(insertion.id, twice, timeout_s=60))
        await r.until(gate.reached.is_set)
        lending = r.readers.lend("R", ME)
        await asyncio.sleep(0.01)
        assert not lending.done()
        assert bay.open_now == 1
        gate.open()
        await lending
        assert bay.open_now == 0
        assert len(card.commands) == 1
        with pytest.raises(CarddError) as caught:
            await task
        assert caught.value.reason is Reason.CARD_REMOVED


async def test_a_call_that_does_not_return_is_not_waited_for() -> None:
    async with Rig(ScriptedBackend("R")) as r:
        gate = Gate()
        insertion = await r.insert("R", Card(A))
        r.backend.bays["R"].on_transmit.append(gate)
        task = asyncio.create_task(r.readers.run(insertion.id, select, timeout_s=WORK_S))
        await r.until(gate.reached.is_set)
        lending = r.readers.lend("R", ME)
        r.clock.advance(LET_GO_S)
        with pytest.raises(CarddError) as caught:
            await lending
        assert caught.value.reason is Reason.READER_UNAVAILABLE
        r.readers.take_back("R", ME)
        await asyncio.wait([task])
        r.clock.advance(GRACE_S)
        with pytest.raises(CarddError) as caught:
            await r.readers.lend("R", ME)
        assert caught.value.reason is Reason.READER_UNAVAILABLE
        gate.open()


async def test_what_is_held_is_not_lent() -> None:
    async with Rig(ScriptedBackend("R")) as r:
        insertion = await r.insert("R", Card(A))
        lease = r.readers.lease(insertion.id, OTHER, ttl_s=20)
        with pytest.raises(CarddError) as caught:
            r.readers.lend("R", ME)
        assert caught.value.reason is Reason.LEASE_HELD
        r.readers.end_lease(lease.id, OTHER)
        r.readers.reserve("desk", "an-activation")
        with pytest.raises(CarddError) as caught:
            r.readers.lend("R", ME)
        assert caught.value.reason is Reason.BUSY
        assert r.stays == [("in", "7-1")]
        r.readers.release("desk", "an-activation")
        await r.readers.lend("R", ME)
        with pytest.raises(CarddError) as caught:
            r.readers.reserve("desk", "an-activation")
        assert caught.value.reason is Reason.READER_IN_USE


async def test_only_who_borrowed_a_reader_gives_it_back() -> None:
    async with Rig(ScriptedBackend("R")) as r:
        await r.readers.lend("R", ME)
        for reader, holder in (("R", OTHER), ("Q", ME)):
            with pytest.raises(CarddError) as caught:
                r.readers.take_back(reader, holder)
            assert caught.value.reason is Reason.NOT_FOUND
        assert state(r) is ReaderState.IN_USE
        with pytest.raises(CarddError) as caught:
            r.readers.lend("Q", ME)
        assert caught.value.reason is Reason.NOT_FOUND


async def test_a_lent_reader_stays_lent_when_it_or_the_service_goes_and_comes_back() -> None:
    async with Rig(ScriptedBackend("R")) as r:
        await r.readers.lend("R", ME)
        del r.backend.bays["R"]
        await r.seen()
        r.backend.bays["R"] = Bay(Card(A), counter=1)
        await r.seen()
        assert state(r) is ReaderState.IN_USE
        r.backend.tell(ServiceDown(Reason.PCSC_UNAVAILABLE, "gone"))
        await r.drained()
        assert state(r) is ReaderState.UNAVAILABLE
        r.backend.tell(ServiceUp())
        await r.seen()
        assert state(r) is ReaderState.IN_USE
        assert r.stays == []
        r.readers.take_back("R", ME)
        assert r.stays == [("in", "7-1")]


async def test_a_reader_that_has_gone_is_taken_back_all_the_same() -> None:
    async with Rig(ScriptedBackend("R")) as r:
        await r.readers.lend("R", ME)
        del r.backend.bays["R"]
        await r.seen()
        r.readers.take_back("R", ME)
        r.backend.bays["R"] = Bay(Card(A), counter=1)
        await r.seen()
        assert r.stays == [("in", "7-1")]


async def test_the_clerk_is_not_told_of_what_another_program_does_to_a_card() -> None:
    async with Rig(ScriptedBackend("R")) as r:
        await r.readers.lend("R", ME)
        r.backend.put("R", Card(A))
        r.backend.bays["R"].presence = Presence.MUTE
        await r.seen()
        assert r.told(CardTrouble) == []


async def test_a_lent_module_reader_is_in_use_for_whoever_needs_the_module() -> None:
    station = StationConfig("desk", readers=(ReaderConfig(ReaderMatch(name="R"), Role.SAM),))
    async with Rig(ScriptedBackend("R"), (station,)) as r:

        def ask(held: HeldChannel) -> int:
            return held.channel.send(SELECT).sw

        await r.insert("R", Card(A))
        deadline = r.clock.monotonic() + WORK_S
        assert await asyncio.to_thread(r.readers.call_on, "R", ask, deadline=deadline) == 0x9000
        assert r.backend.bays["R"].open_now == 1
        await r.readers.lend("R", ME)
        assert r.backend.bays["R"].open_now == 0
        with pytest.raises(CarddError) as caught:
            await asyncio.to_thread(r.readers.call_on, "R", ask, deadline=deadline)
        assert caught.value.reason is Reason.READER_IN_USE
