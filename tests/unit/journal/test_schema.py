import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.journal import schema
from cardd.journal.events import ActivationRow, NewEvent
from cardd.journal.store import Journal

Reopen = Callable[[], Journal]


async def use(reopen: Reopen) -> list[bytes]:
    journal = reopen()
    await journal.record(
        NewEvent("card.inserted", "reader-1", {"boot": journal.boot}),
        activation=ActivationRow("a-1", "station-1", "pharmacy", "waiting_old_card", True, {}),
    )
    events = await journal.read(0, 100)
    await journal.close()
    return [event.data for event in events]


def pragma(path: Path, name: str) -> int:
    connection = sqlite3.connect(path / "journal.db")
    try:
        return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
    finally:
        connection.close()


def alter(path: Path, sql: str) -> bytes:
    connection = sqlite3.connect(path / "journal.db", isolation_level=None)
    connection.execute(sql)
    connection.close()
    return (path / "journal.db").read_bytes()


def refusal(reopen: Reopen) -> CarddError:
    with pytest.raises(CarddError) as caught:
        reopen()
    assert caught.value.reason is Reason.INVALID
    return caught.value


def test_an_older_schema_is_brought_forward_with_what_it_holds(
    reopen: Reopen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(use(reopen))
    steps = (("ALTER TABLE events ADD COLUMN two INTEGER",), ("ALTER TABLE events ADD COLUMN three INTEGER",))
    monkeypatch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS + steps)
    assert asyncio.run(use(reopen)) == [b'{"boot":1}', b'{"boot":2}']
    assert pragma(tmp_path, "user_version") == len(schema.MIGRATIONS)


def test_a_journal_from_before_deeds_were_kept_keeps_its_events_and_takes_deeds(
    reopen: Reopen, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
        asyncio.run(use(reopen))
    assert asyncio.run(use(reopen)) == [b'{"boot":1}', b'{"boot":2}']


def test_a_step_that_fails_leaves_the_schema_before_it(
    reopen: Reopen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(use(reopen))
    broken = ("ALTER TABLE events ADD COLUMN two INTEGER", "this is no SQL")
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, broken))
        with pytest.raises(CarddError):
            reopen()
    assert pragma(tmp_path, "user_version") == len(schema.MIGRATIONS)
    assert asyncio.run(use(reopen)) == [b'{"boot":1}', b'{"boot":2}']


def test_a_newer_schema_is_refused_and_left_as_it_is(reopen: Reopen, tmp_path: Path) -> None:
    asyncio.run(use(reopen))
    before = alter(tmp_path, "PRAGMA user_version = 99")
    assert "schema 99" in refusal(reopen).detail
    assert (tmp_path / "journal.db").read_bytes() == before


def test_another_programs_database_is_refused(reopen: Reopen, tmp_path: Path) -> None:
    alter(tmp_path, "CREATE TABLE theirs (x)")
    assert "another program" in refusal(reopen).detail


def test_a_file_that_is_no_database_is_refused_and_kept(reopen: Reopen, tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"no database at all, but long enough to be one " * 100)
    assert "move it away" in refusal(reopen).detail
    assert (tmp_path / "journal.db").read_bytes().startswith(b"no database")


def test_a_refused_directory_is_free_again(reopen: Reopen, tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"no database at all, but long enough to be one " * 100)
    refusal(reopen)
    (tmp_path / "journal.db").unlink()
    assert asyncio.run(use(reopen)) == [b'{"boot":1}']
