import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from cardd.crypto.digest import sm3
from cardd.journal.events import NewEvent
from cardd.journal.store import Journal


def first_break(path: Path) -> int | None:
    """Recompute the chain by its description, with other code than the journal's."""
    connection = sqlite3.connect(path / "journal.db")
    (stream,) = connection.execute("SELECT stream FROM identity").fetchone()
    before = sm3(b"cardd journal " + stream.encode())
    rows = connection.execute("SELECT sequence, public, sealed, sealed_digest, digest FROM events ORDER BY sequence")
    for expected, (sequence, public, sealed, sealed_digest, digest) in enumerate(rows.fetchall(), start=1):
        erased = sealed == b""
        if sequence != expected or not public.startswith(b'{"sequence":%d,' % sequence):
            return expected
        if not erased and sealed_digest != sm3(sealed or b""):
            return expected
        before = sm3(before + public + sealed_digest)
        if digest != before:
            return expected
    connection.close()
    return None


@pytest.fixture
def written(reopen: Callable[[], Journal], tmp_path: Path) -> Path:
    async def write() -> None:
        for _ in range(2):
            journal = reopen()
            for number in range(5):
                await journal.record(NewEvent("a.b", "s", {"n": number}), NewEvent("a.c", "s", {}, {"name": "测试甲"}))
            await journal.close()

    asyncio.run(write())
    return tmp_path


def alter(path: Path, sql: str) -> None:
    connection = sqlite3.connect(path / "journal.db", isolation_level=None)
    connection.execute(sql)
    connection.close()


def test_the_chain_holds_across_commits_and_openings(written: Path) -> None:
    assert first_break(written) is None


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE events SET public = CAST(replace(public, '\"n\":3', '\"n\":4') AS BLOB) WHERE sequence = 7",
        "UPDATE events SET sealed = x'01' WHERE sequence = 8",
        "DELETE FROM events WHERE sequence = 7",
        "UPDATE events SET sealed_digest = zeroblob(32) WHERE sequence = 8",
    ],
)
def test_a_changed_or_missing_event_breaks_the_chain(written: Path, sql: str) -> None:
    alter(written, sql)
    assert first_break(written) in {7, 8}


def test_erased_personal_data_leave_the_chain_whole(written: Path) -> None:
    alter(written, "UPDATE events SET sealed = x'' WHERE sequence = 8")
    assert first_break(written) is None
