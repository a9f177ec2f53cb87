import asyncio
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable
from typing import cast

import pytest
from msgspec.structs import replace

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.journal.database import Database
from cardd.journal.encoding import EVENT_BYTES
from cardd.journal.events import ActivationRow, Json, NewEvent, StoredEvent
from cardd.journal.store import Journal

pytestmark = pytest.mark.asyncio

ACTIVATION = ActivationRow("a-1", "station-1", "pharmacy", "waiting_old_card", True, {})


def event(data: dict[str, Json] | None = None, personal: dict[str, Json] | None = None) -> NewEvent:
    return NewEvent("card.inserted", "reader-1", data or {}, personal or {})


async def reason(future: Awaitable[object]) -> Reason:
    with pytest.raises(CarddError) as caught:
        await future
    return caught.value.reason


async def run(journal: Journal, sql: str) -> None:
    await journal.ask(lambda database: database._connection.execute(sql).fetchall())


def deep() -> Json:
    value: Json = 1
    for _ in range(20_000):
        value = [value]
    return value


@pytest.mark.parametrize(
    "bad",
    [
        {"key": cast("Json", Secret(b"0123456789abcdef"))},
        {"text": "\ud800 测试甲"},
        {"moment": cast("Json", object())},
        {"deep": deep()},
        {"long": "x" * EVENT_BYTES},
    ],
    ids=["a secret", "a lone surrogate", "an object", "too deep", "too long"],
)
async def test_what_cannot_be_stored_fails_alone(journal: Journal, bad: dict[str, Json]) -> None:
    before = journal.record(event({"n": 1}))
    broken = [journal.record(event({"n": 2}), event(bad)), journal.record(event({}, bad))]
    after = journal.record(event({"n": 3}))
    for future in broken:
        assert await reason(future) is Reason.INVALID
    assert [(await before)[0].sequence, (await after)[0].sequence] == [1, 2]


async def test_what_cannot_be_stored_in_an_activation_fails_with_its_events(journal: Journal) -> None:
    for bad in (replace(ACTIVATION, data={"x": cast("Json", object())}), replace(ACTIVATION, station="\ud800")):
        assert await reason(journal.record(event(), activation=bad)) is Reason.INVALID
    assert await journal.activations(open_only=False) == []
    assert journal.last == 0


async def test_an_error_holds_nothing_of_the_data(journal: Journal) -> None:
    with pytest.raises(CarddError) as caught:
        await journal.record(event({}, {"holder": "测试甲 \ud800"}))
    seen: BaseException | None = caught.value
    while seen is not None:
        assert "测试甲" not in repr(seen.args)
        seen = seen.__cause__ or seen.__context__


async def test_data_may_change_after_the_call(journal: Journal) -> None:
    data: dict[str, Json] = {"n": 1}
    future = journal.record(event(data))
    data["n"] = 2
    assert (await future)[0].data == b'{"n":1}'


async def test_recording_away_from_the_loop_is_a_mistake(journal: Journal) -> None:
    with pytest.raises(RuntimeError):
        await asyncio.to_thread(lambda: journal.record(event()))


async def test_all_that_wait_share_one_commit(journal: Journal) -> None:
    statements: list[str] = []
    gate = threading.Event()
    await journal.ask(lambda database: database._connection.set_trace_callback(statements.append))
    held = asyncio.ensure_future(journal.ask(lambda _: gate.wait(30)))
    await asyncio.sleep(0.01)
    futures = [journal.record(event()) for _ in range(50)]
    gate.set()
    await asyncio.gather(*futures, held)
    assert statements.count("COMMIT") == 1


async def commits(journal: Journal, record: Callable[[], list[asyncio.Future[tuple[StoredEvent, ...]]]]) -> int:
    """Return in how many commits everything came that was recorded in one turn of the loop."""
    statements: list[str] = []
    await journal.ask(lambda database: database._connection.set_trace_callback(statements.append))
    await asyncio.gather(*record())
    return statements.count("COMMIT")


async def test_what_is_recorded_in_one_turn_shares_one_commit_though_the_thread_was_idle(journal: Journal) -> None:
    def with_pauses() -> list[asyncio.Future[tuple[StoredEvent, ...]]]:
        futures = []
        for _ in range(5):
            futures.append(journal.record(event()))
            time.sleep(0.01)  # the interpreter is free meanwhile
        return futures

    assert await commits(journal, with_pauses) == 1


async def test_the_first_of_very_many_does_not_wait_for_all(journal: Journal) -> None:
    assert await commits(journal, lambda: [journal.record(event()) for _ in range(600)]) == 2
    assert [stored.sequence for stored in await journal.read(0, 1000)] == [*range(1, 601)]


async def test_one_call_that_the_database_refuses_does_not_take_the_others_with_it(journal: Journal) -> None:
    await run(
        journal,
        """CREATE TEMP TRIGGER refuse BEFORE INSERT ON events WHEN instr(NEW.public, CAST('poison' AS BLOB))
           BEGIN SELECT RAISE(ABORT, 'refused'); END""",
    )
    good = [journal.record(event({"n": 1})), journal.record(event({"n": 2}))]
    bad = journal.record(event({"n": 3}), event({"n": "poison"}), activation=ACTIVATION)
    late = journal.record(event({"n": 4}))
    assert await reason(bad) is Reason.JOURNAL_UNAVAILABLE
    assert [(await future)[0].sequence for future in (*good, late)] == [1, 2, 3]
    assert [stored.data for stored in await journal.read(0, 10)] == [b'{"n":1}', b'{"n":2}', b'{"n":4}']
    assert await journal.activation("a-1") is None
    assert journal.statistics().open_activations == 0


async def fill(journal: Journal) -> int:
    """Leave room for a few pages only; return how many events there are."""
    pages = await journal.ask(lambda database: database._connection.execute("PRAGMA page_count").fetchone()[0])
    await run(journal, f"PRAGMA max_page_count = {pages + 4}")
    return journal.last


async def test_without_space_the_call_fails_whole_and_smaller_ones_go_on(journal: Journal) -> None:
    await journal.record(event())
    last = await fill(journal)
    large = [event({"n": 1}), event({"fill": "x" * 100_000})]
    assert await reason(journal.record(*large, activation=ACTIVATION)) is Reason.JOURNAL_FULL
    assert await journal.activation("a-1") is None
    (stored,) = await journal.record(event({"n": 2}))
    assert stored.sequence == last + 1
    assert [row.sequence for row in await journal.read(0, 10)] == [1, 2]


async def test_when_space_returns_so_does_the_journal(journal: Journal, reopen: Callable[[], Journal]) -> None:
    await fill(journal)
    futures = [journal.record(event({"fill": "x" * 3000}), event()) for _ in range(40)]
    results = await asyncio.gather(*futures, return_exceptions=True)
    errors = [result for result in results if isinstance(result, CarddError)]
    stored = [result for result in results if not isinstance(result, BaseException)]
    assert {error.reason for error in errors} == {Reason.JOURNAL_FULL}
    assert stored
    await run(journal, "PRAGMA max_page_count = 1000000")
    await journal.record(event({"fill": "x" * 3000}))
    await journal.close()
    again = reopen()
    events = await again.read(0, 1000)
    assert [row.sequence for row in events] == list(range(1, 2 * len(stored) + 2))
    await again.close()


async def test_a_bad_question_does_not_end_the_thread(journal: Journal) -> None:
    def bad(_: Database) -> None:
        raise sqlite3.OperationalError("测试甲")

    for question in (bad, lambda _: 1 // 0):
        with pytest.raises(CarddError) as caught:
            await journal.ask(question)
        assert caught.value.reason is Reason.JOURNAL_UNAVAILABLE
        assert "测试甲" not in str(caught.value)
    await journal.record(event())


async def test_a_flush_that_fails_is_told_and_the_sequence_stays_gapless(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = Database.append

    def failing(_: Database, __: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(Database, "append", failing)
    assert await reason(journal.record(event())) is Reason.JOURNAL_UNAVAILABLE
    monkeypatch.setattr(Database, "append", append)
    assert (await journal.record(event()))[0].sequence == 1
