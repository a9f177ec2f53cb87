import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.crypto.sealing import Sm4GcmSealer
from cardd.journal import chain, schema
from cardd.journal.events import ActivationRow, DeedRow, NewEvent
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


def old_journal(path: Path, schema_number: int) -> None:
    """Write a journal with two events as cardd wrote it at that schema."""
    connection = sqlite3.connect(path / "journal.db", isolation_level=None)
    for statement in (statement for step in schema.MIGRATIONS[:schema_number] for statement in step):
        connection.execute(statement)
    connection.execute("PRAGMA application_id = 0x63617264")
    connection.execute(f"PRAGMA user_version = {schema_number}")
    connection.execute("INSERT INTO identity (stream, boot) VALUES ('0123456789abcdef', 7)")
    before = chain.genesis("0123456789abcdef")
    sealer = Sm4GcmSealer(Secret(b"0123456789abcdef"))
    for sequence in (1, 2):
        public = b'{"sequence":%d,"id":"e-%d","type":"card.identified","time":"2026-01-0%dT00:00:00.000000Z",' % (
            (sequence,) * 3
        )
        public += b'"subject":"reader-1","data":{"number":"******0036"},"insertion":"7-1"}'
        sealed = sealer.seal(b'{"number":"T00000036"}', b"e-%d" % sequence)
        before = chain.link(before, public, chain.digest(sealed))
        connection.execute(
            "INSERT INTO events (sequence, public, sealed, sealed_digest, digest) VALUES (?, ?, ?, ?, ?)",
            (sequence, public, sealed, chain.digest(sealed), before),
        )
    connection.close()


@pytest.mark.parametrize("schema_number", range(1, len(schema.MIGRATIONS)))
def test_a_journal_of_every_older_schema_keeps_its_events_and_goes_on(
    reopen: Reopen, tmp_path: Path, schema_number: int
) -> None:
    old_journal(tmp_path, schema_number)
    assert asyncio.run(use(reopen)) == [b'{"number":"******0036"}'] * 2 + [b'{"boot":8}']
    assert pragma(tmp_path, "user_version") == len(schema.MIGRATIONS)


FORGETFUL = range(1, 4)
"""Schemas in which activations did not tell who began them."""


@pytest.mark.parametrize("schema_number", FORGETFUL)
def test_an_activation_of_every_older_schema_is_found_by_the_request_that_began_it(
    reopen: Reopen, tmp_path: Path, schema_number: int
) -> None:
    old_journal(tmp_path, schema_number)
    connection = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    columns = "INSERT INTO activations (id, station, route, state, open, data, sequence) "
    for identity, data in ("a-1", b'{"client":"till","request":"r-1"}'), ("a-2", b'{"client":"till","request":null}'):
        connection.execute(columns + "VALUES (?, 's', 'r', 'x', 0, ?, 2)", (identity, data))
    connection.close()

    async def begun() -> str | None:
        journal = reopen()
        found = await journal.activation_begun("till", "r-1")
        await journal.close()
        return found

    assert asyncio.run(begun()) == "a-1"


def test_a_deed_of_an_older_schema_counts_as_told(reopen: Reopen, tmp_path: Path) -> None:
    old_journal(tmp_path, 4)
    connection = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    columns = "INSERT INTO deeds (client, request, method, open, data, sequence) "
    connection.execute(columns + "VALUES ('till', 'r-1', 'account.debit', 0, x'7b7d', 2)")
    connection.close()

    async def found() -> tuple[DeedRow | None, list[DeedRow]]:
        journal = reopen()
        deed, untold = await journal.deed("till", "r-1"), await journal.untold_deeds()
        await journal.close()
        return deed, untold

    assert asyncio.run(found()) == (DeedRow("till", "r-1", "account.debit", open=False, data={}), [])


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
