import asyncio

import pytest
from structlog.testing import capture_logs
from support.cards import Record
from support.readers import OK, Card, Gate, Rig, ScriptedBackend

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.iso7816.apdu import Command
from cardd.iso7816.channel import Channel
from cardd.iso7816.device import Presence, ServiceDown, ServiceUp
from cardd.readers.config import ReaderConfig, ReaderMatch, StationConfig
from cardd.readers.facts import CardInserted, CardTrouble, ReaderAttached, ReaderState, ServiceCameUp, ServiceWentDown
from cardd.readers.insertion import Insertion
from cardd.readers.reconcile import SETTLE_S

A, B = b"\x3b\x0a", b"\x3b\x0b"
SELECT = Command(0x00, 0xA4, 0x04, 0x00, b"\x01")
VERIFY = Command(0x00, 0x20, 0x00, 0x00, b"\x12\x34\x56")
LONG_S = 30.0

pytestmark = pytest.mark.asyncio


def rig(*, exclusive: bool = True) -> Rig:
    return Rig(ScriptedBackend("R"), exclusive=exclusive)


def select(channel: Channel, _insertion: Insertion) -> int:
    return channel.send(SELECT).sw


def reason(task: "asyncio.Task[int]") -> Reason | None:
    error = task.exception()
    return error.reason if isinstance(error, CarddError) else None


async def refused(readers: Rig, insertion: str) -> Reason:
    with pytest.raises(CarddError) as caught:
        await readers.readers.run(insertion, select, timeout_s=LONG_S)
    return caught.value.reason


async def test_a_job_runs_on_its_insertions_card_and_lets_go_of_it() -> None:
    async with rig() as r:
        card = Card(A)
        insertion = await r.insert("R", card)
        assert insertion == Insertion("7-1", "R", "desk", A, pcsc_name="R")
        assert await r.readers.run(insertion.id, select, timeout_s=LONG_S) == 0x9000
        bay = r.backend.bays["R"]
        assert len(card.commands) == 1
        assert (bay.calls, bay.disconnects, bay.open_now) == (["connect exclusive"], [False], 0)


async def test_commands_are_shown_to_a_tracer_that_comes_later_and_not_once_it_has_gone() -> None:
    shown = Record()
    async with rig() as r:
        insertion = await r.insert("R", Card(A))
        await r.readers.run(insertion.id, select, timeout_s=LONG_S)
        r.readers.trace(shown)
        await r.readers.run(insertion.id, select, timeout_s=LONG_S)
        assert shown.commands == [SELECT]
        r.readers.trace(None)
        await r.readers.run(insertion.id, select, timeout_s=LONG_S)
        assert shown.words == [0x9000]


async def test_a_tracer_is_shown_the_cards_of_readers_that_come_after_it_too() -> None:
    shown, r = Record(), rig()
    r.readers.trace(shown)
    async with r:
        insertion = await r.insert("R", Card(A))
        await r.readers.run(insertion.id, select, timeout_s=LONG_S)
    assert shown.commands == [SELECT]


async def test_an_insertion_has_the_time_for_keys_of_its_readers_rule() -> None:
    slow = (StationConfig("desk", readers=(ReaderConfig(ReaderMatch(name="R"), keypad_s=90),)),)
    async with Rig(ScriptedBackend("R"), slow) as r:
        assert (await r.insert("R", Card(A))).keypad_s == 90


async def test_shared_access_makes_each_job_one_transaction() -> None:
    async with rig(exclusive=False) as r:
        insertion = await r.insert("R", Card(A))
        await r.readers.run(insertion.id, select, timeout_s=LONG_S)
        assert r.backend.bays["R"].calls == ["connect shared", "begin", "end"]


async def test_in_shared_mode_a_card_that_was_opened_to_more_is_reset_once_with_its_transaction() -> None:
    async with rig(exclusive=False) as r:
        insertion = await r.insert("R", Card(A))
        await r.readers.run(insertion.id, lambda channel, _: channel.send(VERIFY).sw, timeout_s=LONG_S)
        bay = r.backend.bays["R"]
        assert (bay.calls, bay.disconnects) == (["connect shared", "begin", "end with reset"], [False])


async def test_in_shared_mode_work_that_is_stopped_resets_the_card_with_its_transaction_too() -> None:
    async with rig(exclusive=False) as r:
        insertion = await r.insert("R", Card(A))
        opened = Gate()

        def verify_and_go_on(channel: Channel, _insertion: Insertion) -> int:
            channel.send(VERIFY)
            opened()
            return channel.send(SELECT).sw

        task = asyncio.create_task(r.readers.run(insertion.id, verify_and_go_on, timeout_s=2.0))
        await r.until(opened.reached.is_set)
        r.clock.advance(2.0)
        opened.open()
        bay = r.backend.bays["R"]
        await r.until(lambda: task.done() and bay.open_now == 0)
        assert reason(task) is Reason.TIMEOUT
        assert (bay.calls, bay.disconnects) == (["connect shared", "begin", "end with reset"], [False])


async def test_a_card_that_was_opened_to_more_is_reset_also_when_the_work_fails() -> None:
    async with rig() as r:
        insertion = await r.insert("R", Card(A))

        def verify(channel: Channel, _insertion: Insertion) -> int:
            channel.send(VERIFY)
            raise LookupError("the work's own")

        with pytest.raises(LookupError, match="the work's own"):
            await r.readers.run(insertion.id, verify, timeout_s=LONG_S)
        assert r.backend.bays["R"].disconnects == [True]
        assert r.readers.insertion_in("R") == insertion


async def test_a_thread_outlives_whatever_its_work_raises() -> None:
    async with rig() as r:
        insertion = await r.insert("R", Card(A))
        for error in (SystemExit("no"), StopIteration()):

            def fail(_channel: Channel, _insertion: Insertion, error: BaseException = error) -> int:
                raise error

            with pytest.raises((SystemExit, RuntimeError)):
                await r.readers.run(insertion.id, fail, timeout_s=LONG_S)
        assert await r.readers.run(insertion.id, select, timeout_s=LONG_S) == 0x9000


async def test_work_for_an_insertion_that_is_over_touches_no_card() -> None:
    async with rig() as r:
        first = await r.insert("R", Card(A))
        second = Card(A)
        await r.insert("R", second)
        assert await refused(r, first.id) is Reason.STALE_INSERTION
        assert await refused(r, "7-99") is Reason.STALE_INSERTION
        assert second.commands == []


async def test_work_that_waits_when_its_card_leaves_is_refused_at_once_and_never_runs() -> None:
    async with rig() as r:
        gate = Gate()
        card = Card(A)
        insertion = await r.insert("R", card)
        r.backend.bays["R"].on_transmit.append(gate)
        running = asyncio.create_task(r.readers.run(insertion.id, select, timeout_s=LONG_S))
        await r.until(gate.reached.is_set)
        waiting = asyncio.create_task(r.readers.run(insertion.id, select, timeout_s=LONG_S))
        await asyncio.sleep(0)
        other = Card(B)
        await r.insert("R", other)
        await r.until(waiting.done)
        assert reason(waiting) is Reason.STALE_INSERTION
        gate.open()
        await r.until(running.done)
        assert reason(running) is Reason.CARD_REMOVED
        assert (card.commands, other.commands) == ([], [])


async def test_an_answer_that_comes_after_the_insertions_end_is_not_believed() -> None:
    async with rig() as r:
        gate = Gate()
        insertion = await r.insert("R", Card(A))
        bay = r.backend.bays["R"]
        bay.on_transmit.append(gate)
        task = asyncio.create_task(r.readers.run(insertion.id, select, timeout_s=LONG_S))
        await r.until(gate.reached.is_set)
        bay.counter += 2
        await r.seen()
        gate.open()
        await r.until(task.done)
        assert reason(task) is Reason.CARD_REMOVED
        assert r.stays == [("in", "7-1"), ("exchanged", "7-1"), ("in", "7-2")]


async def test_a_card_exchanged_unseen_before_the_connection_is_not_worked_on() -> None:
    async with rig() as r:
        insertion = await r.insert("R", Card(A))
        other = Card(B)
        r.backend.bays["R"].card = other
        assert await refused(r, insertion.id) is Reason.STALE_INSERTION
        assert other.commands == []
        assert r.backend.bays["R"].open_now == 0
        assert r.stays == [("in", "7-1"), ("exchanged", "7-1")]
        r.clock.advance(SETTLE_S)
        settled = r.readers.insertion_in("R")
        assert settled is not None
        assert (settled.id, settled.atr) == ("7-2", B)


async def test_by_what_sign_a_card_was_lost_is_logged_without_what_names_its_chip() -> None:
    async with rig() as r:
        insertion = await r.insert("R", Card(A))
        r.backend.bays["R"].card = Card(B)
        with capture_logs() as logged:
            assert await refused(r, insertion.id) is Reason.STALE_INSERTION
    (line,) = [line for line in logged if line["event"] == "card.lost"]
    assert (line["insertion"], line["cause"], line["other_answers"]) == (insertion.id, "exchanged", (False, True))
    assert A.hex() not in str(line)
    assert B.hex() not in str(line)


async def test_a_card_exchanged_unseen_during_the_work_is_not_worked_on() -> None:
    async with rig() as r:
        other = Card(A)

        def exchange_between(channel: Channel, _insertion: Insertion) -> int:
            channel.send(SELECT)
            r.backend.bays["R"].card = other
            for _ in range(3):
                # work that takes the failure for something else does not get through to the other card
                with pytest.raises(CarddError):
                    channel.send(SELECT)
            return 1

        insertion = await r.insert("R", Card(A))
        with pytest.raises(CarddError) as caught:
            await r.readers.run(insertion.id, exchange_between, timeout_s=LONG_S)
        assert caught.value.reason is Reason.CARD_REMOVED
        assert other.commands == []
        assert r.stays == [("in", "7-1"), ("transport_error", "7-1")]


@pytest.mark.parametrize("answer", [b"", b"\x90"])
async def test_an_answer_under_two_bytes_is_the_end_of_the_insertion(answer: bytes) -> None:
    async with rig() as r:
        insertion = await r.insert("R", Card(A, lambda _command: answer))
        assert await refused(r, insertion.id) is Reason.CARD_REMOVED
        assert r.stays[-1] == ("transport_error", "7-1")
        r.clock.advance(SETTLE_S - 0.01)
        assert r.readers.insertion_in("R") is None
        r.clock.advance(0.02)
        assert r.stays[-1] == ("in", "7-2")


async def test_a_removal_that_is_seen_after_a_lost_connection_is_not_told_twice() -> None:
    async with rig() as r:
        insertion = await r.insert("R", Card(A))
        r.backend.bays["R"].on_transmit.append(CarddError(Reason.CARD_REMOVED))
        await refused(r, insertion.id)
        await r.remove("R")
        await r.seen()
        r.clock.advance(SETTLE_S * 2)
        assert r.stays == [("in", "7-1"), ("transport_error", "7-1")]


async def test_a_service_that_fails_under_the_work_ends_the_insertion_and_names_itself() -> None:
    async with rig() as r:
        insertion = await r.insert("R", Card(A))
        r.backend.bays["R"].on_transmit.append(CarddError(Reason.PCSC_UNAVAILABLE))
        assert await refused(r, insertion.id) is Reason.PCSC_UNAVAILABLE
        r.backend.tell(ServiceDown(Reason.PCSC_UNAVAILABLE, "gone"))
        r.backend.tell(ServiceUp())
        await r.seen()
        assert r.stays == [("in", "7-1"), ("service_down", "7-1"), ("in", "7-2")]
        assert len(r.told(ServiceWentDown)) == len(r.told(ServiceCameUp)) == 1


@pytest.mark.parametrize("silence", [Reason.CARD_UNPOWERED, Reason.CARD_MUTE])
async def test_power_up_is_tried_once_more(silence: Reason) -> None:
    async with rig() as r:
        insertion = await r.insert("R", Card(A))
        bay = r.backend.bays["R"]
        bay.on_connect.append(CarddError(silence))
        assert await r.readers.run(insertion.id, select, timeout_s=LONG_S) == 0x9000
        bay.on_connect.extend([CarddError(silence)] * 2)
        assert await refused(r, insertion.id) is silence
        assert r.readers.views()[0].state is ReaderState(str(silence).removeprefix("CARD_").lower())
        assert r.stays == [("in", "7-1")]
        assert await r.readers.run(insertion.id, select, timeout_s=LONG_S) == 0x9000
        assert r.readers.views()[0].state is ReaderState.PRESENT


async def test_a_reader_in_use_is_waited_for() -> None:
    async with rig() as r:
        insertion = await r.insert("R", Card(A))
        r.backend.bays["R"].on_connect.extend([CarddError(Reason.READER_IN_USE)] * 3)
        assert await r.readers.run(insertion.id, select, timeout_s=LONG_S) == 0x9000


async def test_a_reader_in_use_until_the_deadline_is_named_as_that() -> None:
    async with rig() as r:
        insertion = await r.insert("R", Card(A))
        r.backend.bays["R"].on_connect.extend([CarddError(Reason.READER_IN_USE)] * 1000)
        task = asyncio.create_task(r.readers.run(insertion.id, select, timeout_s=2.0))
        await r.until(lambda: len(r.backend.bays["R"].on_connect) < 999)
        r.clock.advance(2.0)
        await r.until(task.done)
        assert reason(task) is Reason.READER_IN_USE
        assert r.readers.insertion_in("R") == insertion


async def test_work_in_the_middle_of_its_commands_stops_at_the_deadline() -> None:
    async with rig() as r:
        sent = 0

        def for_ever(channel: Channel, _insertion: Insertion) -> int:
            nonlocal sent
            while True:
                channel.send(SELECT)
                sent += 1

        insertion = await r.insert("R", Card(A))
        task = asyncio.create_task(r.readers.run(insertion.id, for_ever, timeout_s=2.0))
        await r.until(lambda: sent > 3)
        r.clock.advance(2.0)
        await r.until(task.done)
        assert reason(task) is Reason.TIMEOUT
        # the card is still in, and the reader usable
        assert await r.readers.run(insertion.id, select, timeout_s=LONG_S) == 0x9000


async def test_cancelling_a_caller_drops_work_that_waits_and_leaves_work_that_runs() -> None:
    async with rig() as r:
        gate = Gate()
        card = Card(A)
        insertion = await r.insert("R", card)
        r.backend.bays["R"].on_transmit.append(gate)
        running = asyncio.create_task(r.readers.run(insertion.id, select, timeout_s=LONG_S))
        await r.until(gate.reached.is_set)
        waiting = asyncio.create_task(r.readers.run(insertion.id, select, timeout_s=LONG_S))
        await asyncio.sleep(0)
        running.cancel()
        waiting.cancel()
        await asyncio.wait([running, waiting])
        gate.open()
        assert await r.readers.run(insertion.id, select, timeout_s=LONG_S) == 0x9000
        assert len(card.commands) == 2
        assert r.backend.bays["R"].connections == 2


async def test_a_mute_card_is_trouble_and_no_insertion() -> None:
    async with rig() as r:
        r.backend.put("R", Card(A))
        r.backend.bays["R"].presence = Presence.MUTE
        r.backend.look()
        await r.until(lambda: bool(r.told(CardTrouble)))
        assert r.told(CardTrouble) == [CardTrouble("R", Reason.CARD_MUTE)]
        assert r.stays == []


async def test_quick_observations_keep_their_order() -> None:
    async with rig() as r:
        for number in range(50):
            r.backend.put("R", Card(A))
            r.backend.look()
            if number % 2:
                r.backend.take("R")
                r.backend.look()
        await r.seen()
        expected: list[tuple[str, str]] = []
        for n in range(1, 51, 2):
            expected += [("in", f"7-{n}"), ("exchanged", f"7-{n}"), ("in", f"7-{n + 1}"), ("removed", f"7-{n + 1}")]
        assert r.stays == expected


async def test_a_listener_that_fails_disturbs_nobody() -> None:
    async with rig() as r:

        def broken(_fact: object) -> None:
            raise RuntimeError("the listener's own fault")

        later: list[object] = []
        r.readers.subscribe(broken)
        r.readers.subscribe(later.append)
        await r.insert("R", Card(A))
        assert isinstance(later[-1], CardInserted)


async def test_a_listener_that_comes_late_is_told_what_is_there() -> None:
    async with rig() as r:
        insertion = await r.insert("R", Card(A))
        later: list[object] = []
        r.readers.subscribe(later.append)
        assert [type(fact) for fact in later] == [ReaderAttached, CardInserted]
        assert later[-1] == CardInserted(insertion)


async def test_our_own_work_does_not_make_a_reader_look_in_use() -> None:
    async with rig() as r:
        gate = Gate()
        insertion = await r.insert("R", Card(A))
        bay = r.backend.bays["R"]
        bay.on_transmit.append(gate)
        task = asyncio.create_task(r.readers.run(insertion.id, select, timeout_s=LONG_S))
        await r.until(gate.reached.is_set)
        bay.in_use = True
        await r.seen()
        assert r.readers.views()[0].state is ReaderState.PRESENT
        gate.open()
        await task
        r.clock.advance(1.0)
        assert r.readers.views()[0].state is ReaderState.IN_USE


async def test_readers_and_insertions_find_each_other() -> None:
    async with rig() as r:
        insertion = await r.insert("R", Card(A))
        assert r.readers.reader_of(insertion.id) == "R"
        assert r.readers.insertion_in("R") == insertion
        await r.remove("R")
        assert r.readers.reader_of(insertion.id) is None
        assert r.readers.insertion_in("nowhere") is None


async def test_a_card_answers_with_its_own_bytes() -> None:
    async with rig() as r:
        insertion = await r.insert("R", Card(A, lambda command: command + OK))
        received = await r.readers.run(insertion.id, lambda c, _i: c.send(SELECT).data, timeout_s=LONG_S)
        assert received == SELECT.encode()
