import asyncio

import pytest
from support.readers import OK, Card, Gate, Rig, ScriptedBackend

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.iso7816.apdu import Command
from cardd.iso7816.channel import Channel
from cardd.readers.config import ReaderConfig, ReaderMatch, Role, StationConfig
from cardd.readers.facts import ReaderState
from cardd.readers.holds import Lease
from cardd.readers.insertion import Insertion
from cardd.readers.reconcile import SETTLE_S
from cardd.readers.supervisor import GRACE_S
from cardd.readers.worker import CLOSE_S

A, B = b"\x3b\x0a", b"\x3b\x0b"
SELECT = Command(0x00, 0xA4, 0x04, 0x00, b"\x01")
VERIFY = Command(0x00, 0x20, 0x00, 0x00, b"\x12\x34\x56")
TTL_S = 20.0
WORK_S = 5.0
ME, OTHER = "c-1", "c-2"

pytestmark = pytest.mark.asyncio


def rig(*, exclusive: bool = True) -> Rig:
    return Rig(ScriptedBackend("R"), exclusive=exclusive)


def select(channel: Channel, _insertion: Insertion) -> int:
    return channel.send(SELECT).sw


def verify(channel: Channel, _insertion: Insertion) -> int:
    return channel.send(VERIFY).sw


async def leased(r: Rig, card: Card | None = None) -> Lease:
    insertion = await r.insert("R", card or Card(A))
    return r.readers.lease(insertion.id, ME, ttl_s=TTL_S)


async def work(r: Rig, lease: Lease, hold: str | None = None) -> int:
    return await r.readers.run(lease.insertion.id, select, timeout_s=WORK_S, hold=hold or lease.id)


async def refused(r: Rig, insertion: str, hold: str | None = None) -> Reason:
    with pytest.raises(CarddError) as caught:
        await r.readers.run(insertion, select, timeout_s=WORK_S, hold=hold)
    return caught.value.reason


async def closed(r: Rig) -> list[bool]:
    """Wait until the card is let go of, and return how."""
    bay = r.backend.bays["R"]
    await r.until(lambda: bay.open_now == 0, "a closed card")
    return bay.disconnects


async def test_the_card_is_opened_once_for_all_work_under_a_lease() -> None:
    async with rig() as r:
        lease = await leased(r)
        bay = r.backend.bays["R"]
        assert bay.connections == 0
        assert [await work(r, lease), await work(r, lease)] == [0x9000, 0x9000]
        assert (bay.calls, bay.open_now, bay.disconnects) == (["connect exclusive"], 1, [])
        bay.in_use = True
        await r.seen()
        assert r.readers.views()[0].state is ReaderState.PRESENT


async def test_in_shared_mode_the_whole_lease_is_one_transaction() -> None:
    async with rig(exclusive=False) as r:
        lease = await leased(r)
        await work(r, lease)
        await work(r, lease)
        assert r.backend.bays["R"].calls == ["connect shared", "begin"]
        r.readers.end_lease(lease.id, ME)
        assert await closed(r) == [False]


async def test_in_shared_mode_the_reset_at_the_end_of_a_lease_comes_with_the_end_of_its_transaction() -> None:
    async with rig(exclusive=False) as r:
        lease = await leased(r)
        await r.readers.run(lease.insertion.id, verify, timeout_s=WORK_S, hold=lease.id)
        r.readers.end_lease(lease.id, ME)
        assert await closed(r) == [False]
        assert r.backend.bays["R"].calls == ["connect shared", "begin", "end with reset"]


async def test_at_the_end_of_a_lease_a_card_that_was_opened_to_more_is_reset_and_not_before() -> None:
    async with rig() as r:
        lease = await leased(r)
        await r.readers.run(lease.insertion.id, verify, timeout_s=WORK_S, hold=lease.id)
        await work(r, lease)
        assert r.backend.bays["R"].disconnects == []
        r.readers.end_lease(lease.id, ME)
        assert await closed(r) == [True]


async def test_a_card_to_which_commands_were_sent_as_they_came_is_reset_at_the_end() -> None:
    async with rig() as r:
        lease = await leased(r, Card(A, lambda command: command + OK))

        def raw(channel: Channel, _insertion: Insertion) -> bytes:
            return channel.exchange(b"\x00\xa4\x04\x00")

        answer = await r.readers.run(lease.insertion.id, raw, timeout_s=WORK_S, hold=lease.id)
        assert answer == b"\x00\xa4\x04\x00\x90\x00"
        r.readers.end_lease(lease.id, ME)
        assert await closed(r) == [True]


async def test_work_that_does_not_come_under_the_lease_never_reaches_the_card() -> None:
    async with rig() as r:
        card = Card(A)
        lease = await leased(r, card)
        assert await refused(r, lease.insertion.id) is Reason.LEASE_HELD
        assert await refused(r, lease.insertion.id, "another") is Reason.LEASE_LOST
        assert card.commands == []
        r.readers.end_lease(lease.id, ME)
        assert await r.readers.run(lease.insertion.id, select, timeout_s=WORK_S) == 0x9000


async def test_a_lease_ends_by_its_time_unless_it_is_renewed() -> None:
    async with rig() as r:
        lease = await leased(r)
        await work(r, lease)
        r.clock.advance(TTL_S - 1)
        assert r.readers.renew(lease.id, ME, ttl_s=TTL_S).expires == r.clock.monotonic() + TTL_S
        r.clock.advance(TTL_S - 1)
        assert r.readers.leased(lease.id, ME).insertion == lease.insertion
        r.clock.advance(1)
        assert await refused(r, lease.insertion.id, lease.id) is Reason.LEASE_LOST
        assert await closed(r) == [False]
        with pytest.raises(CarddError) as caught:
            r.readers.renew(lease.id, ME, ttl_s=TTL_S)
        assert caught.value.reason is Reason.LEASE_LOST
        assert r.readers.insertion_in("R") == lease.insertion


@pytest.mark.parametrize("ttl_s", [0.0, -1.0, 301.0, float("inf"), float("nan")])
async def test_a_lease_has_an_end_within_the_longest_time(ttl_s: float) -> None:
    async with rig() as r:
        insertion = await r.insert("R", Card(A))
        with pytest.raises(CarddError) as caught:
            r.readers.lease(insertion.id, ME, ttl_s=ttl_s)
        assert caught.value.reason is Reason.INVALID
        assert r.readers.lease_of(insertion.id) is None


async def test_a_lease_ends_with_its_insertion_and_is_none_of_the_next_card() -> None:
    async with rig() as r:
        lease = await leased(r)
        await work(r, lease)
        second = Card(A)
        after = await r.insert("R", second)
        assert r.readers.lease_of(lease.insertion.id) is None
        assert await refused(r, lease.insertion.id, lease.id) is Reason.LEASE_LOST
        assert await refused(r, after.id, lease.id) is Reason.LEASE_LOST
        assert second.commands == []
        assert await r.readers.run(after.id, select, timeout_s=WORK_S) == 0x9000
        assert r.backend.bays["R"].open_now == 0


async def test_a_lease_of_an_insertion_that_is_over_cannot_be_had() -> None:
    async with rig() as r:
        insertion = await r.insert("R", Card(A))
        await r.remove("R")
        with pytest.raises(CarddError) as caught:
            r.readers.lease(insertion.id, ME, ttl_s=TTL_S)
        assert caught.value.reason is Reason.STALE_INSERTION


async def test_everything_of_a_connection_ends_with_it_and_nothing_of_another() -> None:
    async with Rig(ScriptedBackend("R", "Q", "S")) as r:
        mine, other = await r.insert("R", Card(A)), await r.insert("Q", Card(B))
        ended = r.readers.lease(mine.id, ME, ttl_s=TTL_S)
        lasting = r.readers.lease(other.id, OTHER, ttl_s=TTL_S)
        await r.readers.lend("S", ME)
        await work(r, ended)
        r.readers.end_holds_of(ME)
        assert await closed(r) == [False]
        assert r.readers.lease_of(mine.id) is None
        assert r.readers.lease_of(other.id) == lasting
        assert r.readers.views()[2].state is ReaderState.EMPTY


async def test_work_that_waits_when_its_lease_ends_never_opens_the_card() -> None:
    async with rig() as r:
        gate = Gate()
        card = Card(A)
        lease = await leased(r, card)
        r.backend.bays["R"].on_transmit.append(gate)
        running = asyncio.create_task(work(r, lease))
        await r.until(gate.reached.is_set)
        waiting = asyncio.create_task(work(r, lease))
        await asyncio.sleep(0)
        r.readers.end_lease(lease.id, ME)
        gate.open()
        # what has begun goes on to its end
        assert await running == 0x9000
        with pytest.raises(CarddError) as caught:
            await waiting
        assert caught.value.reason is Reason.LEASE_LOST
        assert len(card.commands) == 1
        await closed(r)
        assert r.backend.bays["R"].connections == 1


async def test_work_that_fails_in_the_middle_ends_the_lease_because_nobody_knows_what_is_open() -> None:
    async with rig() as r:
        gate = Gate()
        lease = await leased(r)
        await work(r, lease)
        r.backend.bays["R"].on_transmit.append(gate)
        late = asyncio.create_task(work(r, lease))
        await r.until(gate.reached.is_set)
        r.clock.advance(WORK_S)
        with pytest.raises(CarddError) as caught:
            await late
        assert caught.value.reason is Reason.TIMEOUT
        next_one = asyncio.create_task(work(r, lease))
        await asyncio.sleep(0)
        gate.open()
        with pytest.raises(CarddError) as caught:
            await next_one
        assert caught.value.reason is Reason.LEASE_LOST
        assert r.readers.lease_of(lease.insertion.id) is None
        assert r.readers.insertion_in("R") == lease.insertion
        assert r.backend.bays["R"].connections == 1


async def test_an_error_of_the_works_own_leaves_the_lease_as_it_was() -> None:
    async with rig() as r:
        lease = await leased(r)

        def fail(channel: Channel, _insertion: Insertion) -> int:
            channel.send(SELECT)
            raise LookupError("the work's own")

        with pytest.raises(LookupError):
            await r.readers.run(lease.insertion.id, fail, timeout_s=WORK_S, hold=lease.id)
        assert await work(r, lease) == 0x9000
        assert r.backend.bays["R"].connections == 1


async def test_a_card_that_cannot_be_opened_yet_does_not_cost_the_lease() -> None:
    async with rig(exclusive=False) as r:
        lease = await leased(r)
        r.backend.bays["R"].on_connect.extend([CarddError(Reason.CARD_MUTE)] * 2)
        assert await refused(r, lease.insertion.id, lease.id) is Reason.CARD_MUTE
        r.backend.bays["R"].on_begin.append(CarddError(Reason.READER_IN_USE))
        assert await refused(r, lease.insertion.id, lease.id) is Reason.READER_IN_USE
        assert r.backend.bays["R"].open_now == 0
        assert await work(r, lease) == 0x9000


async def test_a_lease_ends_when_its_reader_hangs() -> None:
    async with rig() as r:
        gate = Gate()
        lease = await leased(r)
        r.backend.bays["R"].on_transmit.append(gate)
        task = asyncio.create_task(work(r, lease))
        await r.until(gate.reached.is_set)
        r.clock.advance(WORK_S)
        await asyncio.wait([task])
        r.clock.advance(GRACE_S)
        assert r.readers.lease_of(lease.insertion.id) is None
        gate.open()
        await closed(r)


async def test_a_reader_whose_card_cannot_be_let_go_at_the_end_of_a_lease_is_given_up() -> None:
    async with rig() as r:
        gate = Gate()
        lease = await leased(r)
        await work(r, lease)
        r.backend.bays["R"].on_disconnect.append(gate)
        r.readers.end_lease(lease.id, ME)
        await r.until(gate.reached.is_set)
        await r.drained()
        r.clock.advance(CLOSE_S)
        assert r.readers.views()[0].state is ReaderState.PRESENT
        r.clock.advance(GRACE_S)
        assert r.readers.views()[0].state is ReaderState.UNAVAILABLE
        gate.open()
        await r.until(lambda: r.readers.views()[0].state is ReaderState.PRESENT)
        r.clock.advance(SETTLE_S)
        assert await r.readers.run("7-2", select, timeout_s=WORK_S) == 0x9000


async def test_whoever_waits_is_told_when_a_lease_ends() -> None:
    async with rig() as r:
        let_go: list[str] = []
        r.readers.on_release(let_go.append)
        lease = await leased(r)
        r.clock.advance(TTL_S)
        assert let_go == ["desk"]
        with pytest.raises(CarddError):
            r.readers.end_lease(lease.id, ME)


async def test_a_station_whose_card_is_leased_is_not_held_and_a_card_of_a_held_station_not_leased() -> None:
    async with rig() as r:
        lease = await leased(r)
        with pytest.raises(CarddError) as caught:
            r.readers.reserve("desk", "an-activation")
        assert caught.value.reason is Reason.LEASE_HELD
        r.readers.end_lease(lease.id, ME)
        r.readers.reserve("desk", "an-activation")
        with pytest.raises(CarddError) as caught:
            r.readers.lease(lease.insertion.id, ME, ttl_s=TTL_S)
        assert caught.value.reason is Reason.BUSY


async def test_a_security_module_is_not_leased() -> None:
    station = StationConfig("desk", readers=(ReaderConfig(ReaderMatch(name="R"), Role.SAM),))
    async with Rig(ScriptedBackend("R"), (station,)) as r:
        module = await r.insert("R", Card(A))
        with pytest.raises(CarddError) as caught:
            r.readers.lease(module.id, ME, ttl_s=TTL_S)
        assert caught.value.reason is Reason.NOT_FOUND


async def test_closing_lets_a_leased_card_go() -> None:
    async with rig() as r:
        lease = await leased(r)
        await r.readers.run(lease.insertion.id, verify, timeout_s=WORK_S, hold=lease.id)
    assert await closed(r) == [True]
