import asyncio
import contextlib
import sqlite3
import threading
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from cardd.base.clock import SystemClock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.sealing import Sealer
from cardd.base.secret import Secret
from cardd.crypto.sealing import Sm4GcmSealer
from cardd.journal import cursor as cursors
from cardd.journal.database import Database
from cardd.journal.events import ActivationRow, Lost, NewEvent, StoredEvent
from cardd.journal.store import Journal

pytestmark = pytest.mark.asyncio

Reopen = Callable[[], Journal]


def event(number: int = 0) -> NewEvent:
    return NewEvent("card.inserted", "reader-1", {"number": number}, insertion="1-1", correlation="a-1")


def numbers(events: Sequence[StoredEvent]) -> list[int]:
    return [msgspec.json.decode(stored.data)["number"] for stored in events]


def files(directory: Path) -> list[Path]:
    return [path for path in directory.iterdir() if path.is_file()]


ACTIVATION = ActivationRow("a-1", "station-1", "pharmacy", "waiting_old_card", True, {"step": 1}, {"name": "测试甲"})
BEGUN = replace(ACTIVATION, client="till", request="r-\x001")


async def test_an_event_comes_back_as_it_was_recorded(journal: Journal) -> None:
    (stored,) = await journal.record(event(7))
    assert await journal.read(0, 10) == [stored]
    assert (stored.sequence, stored.type, stored.subject) == (1, "card.inserted", "reader-1")
    assert (stored.insertion, stored.correlation, stored.data) == ("1-1", "a-1", b'{"number":7}')
    assert stored.sealed is None


async def test_every_event_has_a_random_uuid_of_its_own(journal: Journal) -> None:
    names = [stored.id for stored in await journal.record(*(event() for _ in range(200)))]
    uuids = [uuid.UUID(name) for name in names]
    assert [str(one) for one in uuids] == names
    assert {(one.version, one.variant) for one in uuids} == {(4, uuid.RFC_4122)}
    assert len({one.hex[-2:] for one in uuids}) > 50
    assert {name[19] for name in names} == set("89ab")
    assert len(set(names)) == len(names)


async def test_the_time_is_rfc_3339_with_microseconds(journal: Journal) -> None:
    (stored,) = await journal.record(event())
    assert len(stored.time) == len("2031-05-07T08:09:10.123456Z")
    assert stored.time.endswith("Z")


async def test_sequences_have_no_gap_and_follow_the_order_of_calls(journal: Journal) -> None:
    futures = [journal.record(event(2 * number), event(2 * number + 1)) for number in range(100)]
    await asyncio.gather(*futures)
    events = await journal.read(0, 1000)
    assert [stored.sequence for stored in events] == list(range(1, 201))
    assert numbers(events) == list(range(200))
    assert len({stored.id for stored in events}) == 200


async def test_sequences_go_on_after_reopening(reopen: Reopen) -> None:
    first = reopen()
    await first.record(event(1), event(2))
    await first.close()
    second = reopen()
    assert second.last == 2
    (stored,) = await second.record(event(3))
    assert stored.sequence == 3
    assert numbers(await second.read(0, 10)) == [1, 2, 3]
    await second.close()


async def test_a_page_begins_after_its_place_and_ends_at_its_limit(journal: Journal) -> None:
    await journal.record(*(event(number) for number in range(10)))
    assert [stored.sequence for stored in await journal.read(3, 4)] == [4, 5, 6, 7]
    assert await journal.read(10, 4) == []
    assert await journal.read(99, 4) == []


async def test_the_stream_stays_and_the_boot_counts(reopen: Reopen) -> None:
    seen = []
    for _ in range(3):
        journal = reopen()
        seen.append((journal.stream, journal.boot))
        await journal.close()
    assert {stream for stream, _ in seen} == {seen[0][0]}
    assert [boot for _, boot in seen] == [1, 2, 3]


async def test_two_journals_are_two_streams(tmp_path: Path, sealer: Sealer) -> None:
    streams = set()
    for name in ("one", "two"):
        journal = Journal.open(tmp_path / name, sealer=sealer, clock=SystemClock(), source="/cardd/test")
        streams.add(journal.stream)
        await journal.close()
    assert len(streams) == 2


async def test_subscribers_hear_before_the_caller_and_in_order(journal: Journal) -> None:
    heard: list[int] = []
    journal.subscribe(lambda events: heard.extend(numbers(events)))

    async def producer(number: int) -> None:
        await journal.record(event(number))
        assert number in heard

    await asyncio.gather(*(producer(number) for number in range(30)))
    assert heard == list(range(30))


async def test_a_page_never_runs_ahead_of_the_subscribers(journal: Journal) -> None:
    heard: list[int] = []
    journal.subscribe(lambda events: heard.extend(stored.sequence for stored in events))
    await journal.record(event())
    waiting = [journal.record(event()) for _ in range(20)]
    page = await journal.read(0, 100)
    assert [stored.sequence for stored in page] == heard[: len(page)]
    assert journal.last >= page[-1].sequence
    await asyncio.gather(*waiting)


async def test_nobody_is_called_back_after_unsubscribing(journal: Journal) -> None:
    heard: list[int] = []
    unsubscribe = journal.subscribe(lambda events: heard.extend(numbers(events)))
    await journal.record(event(1))
    unsubscribe()
    unsubscribe()
    await journal.record(event(2))
    assert heard == [1]


async def test_a_failing_subscriber_harms_neither_the_others_nor_the_caller(journal: Journal) -> None:
    faults: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context["exception"]))
    heard: list[int] = []

    def broken(_: Sequence[StoredEvent]) -> None:
        raise ValueError("broken")

    journal.subscribe(broken)
    journal.subscribe(lambda events: heard.extend(numbers(events)))
    await journal.record(event(5))
    assert heard == [5]
    assert [str(fault) for fault in faults] == ["broken"]


async def test_who_measures_commits_and_fails_keeps_nobody_waiting(journal: Journal) -> None:
    faults: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context["exception"]))

    def broken(_: float) -> None:
        raise ValueError("broken")

    journal.time_commits(broken)
    (stored,) = await asyncio.wait_for(journal.record(event(1)), 5)
    assert journal.last == stored.sequence
    assert [str(fault) for fault in faults] == ["broken"]


async def test_an_activation_comes_back_whole(journal: Journal) -> None:
    await journal.record(event(), activation=ACTIVATION)
    assert await journal.activation("a-1") == ACTIVATION
    assert await journal.activation("a-2") is None


async def test_a_transition_replaces_the_row(reopen: Reopen) -> None:
    journal = reopen()
    ended = replace(ACTIVATION, state="completed", open=False, data={"step": 2}, personal={})
    await journal.record(event(), activation=ACTIVATION)
    await journal.record(event(), activation=ended)
    assert journal.statistics().open_activations == 0
    await journal.close()
    again = reopen()
    assert await again.activations(open_only=False) == [ended]
    assert await again.activations(open_only=True) == []
    await again.close()


async def test_open_activations_come_first_and_the_newest_of_each_first(journal: Journal) -> None:
    for name, is_open in (("a", True), ("b", False), ("c", True), ("d", False)):
        await journal.record(activation=replace(ACTIVATION, id=name, open=is_open))
    await journal.record(activation=replace(ACTIVATION, id="a", state="authorising"))
    assert [row.id for row in await journal.activations(open_only=False)] == ["c", "a", "d", "b"]
    assert [row.id for row in await journal.activations(open_only=True)] == ["c", "a"]
    assert [row.id for row in await journal.activations(open_only=False, limit=3)] == ["c", "a", "d"]


async def test_an_activation_under_a_lost_key_is_still_found(reopen: Reopen, tmp_path: Path) -> None:
    journal = reopen()
    await journal.record(activation=ACTIVATION)
    await journal.close()
    other = Sm4GcmSealer(Secret(b"fedcba9876543210"))
    again = Journal.open(tmp_path, sealer=other, clock=SystemClock(), source="/cardd/test")
    assert await again.activation("a-1") == replace(ACTIVATION, personal={}, personal_lost=Lost.UNREADABLE)
    await again.close()


async def test_personal_data_reach_the_disk_sealed_only(reopen: Reopen, tmp_path: Path) -> None:
    journal = reopen()
    person = NewEvent("card.identified", "reader-1", {"holder": "测*甲"}, {"holder": "测试甲"})
    (stored,) = await journal.record(person, activation=ACTIVATION)
    await journal.close()
    raw = b"".join(path.read_bytes() for path in files(tmp_path))
    assert "测*甲".encode() in raw
    assert "测试甲".encode() not in raw
    assert stored.sealed is not None


async def test_statistics_tell_sequence_size_and_open_activations(journal: Journal) -> None:
    before = journal.statistics()
    await journal.record(*(event() for _ in range(500)), activation=ACTIVATION)
    after = journal.statistics()
    assert (before.last, before.open_activations) == (0, 0)
    assert (after.last, after.open_activations) == (500, 1)
    assert after.bytes > before.bytes + 500 * 100


async def test_open_activations_are_counted_again_after_reopening(reopen: Reopen) -> None:
    journal = reopen()
    await journal.record(activation=ACTIVATION)
    await journal.close()
    again = reopen()
    assert again.statistics().open_activations == 1
    await again.close()


async def test_a_cursor_of_this_stream_is_a_place(journal: Journal) -> None:
    await journal.record(event(), event())
    assert journal.position(cursors.encode(journal.stream, 2)) == 2


async def test_a_cursor_ahead_of_the_stream_is_gone(journal: Journal) -> None:
    with pytest.raises(CarddError) as caught:
        journal.position(cursors.encode(journal.stream, 1))
    assert caught.value.reason is Reason.CURSOR_GONE


async def test_a_second_journal_on_the_directory_is_refused(journal: Journal, reopen: Reopen, tmp_path: Path) -> None:
    with pytest.raises(CarddError) as caught:
        reopen()
    assert caught.value.reason is Reason.BUSY
    assert str(tmp_path) in caught.value.detail
    await journal.record(event())


async def test_a_directory_that_cannot_be_made_is_a_plain_error(tmp_path: Path, sealer: Sealer) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CarddError) as caught:
        Journal.open(tmp_path / "file" / "state", sealer=sealer, clock=SystemClock(), source="/cardd/test")
    assert caught.value.reason is Reason.JOURNAL_UNAVAILABLE


async def test_nothing_is_readable_by_other_users(journal: Journal, tmp_path: Path) -> None:
    await journal.record(event())
    names = files(tmp_path)
    assert len(names) >= 3
    assert {path.stat().st_mode & 0o077 for path in names} == {0}


async def test_every_commit_is_flushed_by_the_only_connection(journal: Journal, tmp_path: Path) -> None:
    def settings(database: Database) -> list[str | int]:
        names = ("locking_mode", "journal_mode", "synchronous")
        return [database._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    assert await journal.ask(settings) == ["exclusive", "wal", 2]
    # an index in shared memory would mean that other connections are possible
    assert not (tmp_path / "journal.db-shm").exists()
    with (
        contextlib.closing(sqlite3.connect(tmp_path / "journal.db", timeout=0)) as other,
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        other.execute("SELECT * FROM events")


async def test_close_writes_what_was_queued(reopen: Reopen) -> None:
    journal = reopen()
    waiting = [journal.record(event(number)) for number in range(50)]
    await journal.close()
    assert all(future.done() for future in waiting)
    again = reopen()
    assert again.last == 50
    await again.close()


async def test_a_closed_journal_refuses_and_closes_twice(reopen: Reopen) -> None:
    journal = reopen()
    await journal.record(event())
    await journal.close()
    await journal.close()
    for attempt in (journal.record(event()), journal.activation("a-1")):
        with pytest.raises(CarddError) as caught:
            await attempt
        assert caught.value.reason is Reason.JOURNAL_UNAVAILABLE


async def test_close_gives_up_on_a_disk_that_hangs(reopen: Reopen) -> None:
    journal = reopen()
    gate = threading.Event()
    asked = asyncio.ensure_future(journal.ask(lambda _: gate.wait(30)))
    await asyncio.sleep(0.01)
    recorded = journal.record(event())
    started = asyncio.get_running_loop().time()
    await journal.close()
    assert asyncio.get_running_loop().time() - started < 1.5
    for future in (asked, recorded):
        with pytest.raises(CarddError) as caught:
            await future
        assert caught.value.reason is Reason.JOURNAL_UNAVAILABLE
    gate.set()
    await journal.close()
    again = reopen()
    assert again.last == 1
    await again.close()


async def test_giving_up_on_a_record_does_not_undo_it(journal: Journal) -> None:
    journal.record(event(1)).cancel()
    await journal.record(event(2))
    assert numbers(await journal.read(0, 10)) == [1, 2]


async def test_a_record_of_nothing_waits_for_what_was_recorded_before(journal: Journal) -> None:
    first = journal.record(event())
    assert await journal.record() == ()
    assert first.done()
    assert journal.last == 1


async def test_an_activation_is_found_by_the_client_and_the_request_that_began_it(journal: Journal) -> None:
    await journal.record(activation=BEGUN)
    await journal.record(activation=replace(BEGUN, state="cancelled", open=False))
    await journal.record(activation=replace(BEGUN, id="a-2", client="other"))
    await journal.record(activation=replace(BEGUN, id="a-3", request=None))
    assert await journal.activation_begun("till", "r-\x001") == "a-1"
    assert await journal.activation_begun("other", "r-\x001") == "a-2"
    assert await journal.activation_begun("till", "r-") is None
    assert await journal.activation("a-1") == replace(BEGUN, state="cancelled", open=False)


async def test_an_activation_is_looked_up_by_its_request_in_an_index(journal: Journal) -> None:
    def plan(database: Database) -> str:
        asked: list[str] = []
        database.query(lambda connection: connection.set_trace_callback(asked.append))
        database.activation_begun("till", "r-1")
        return database.query(lambda connection: str(connection.execute(f"EXPLAIN QUERY PLAN {asked[0]}").fetchall()))

    assert "activations_by_request" in await journal.ask(plan)
