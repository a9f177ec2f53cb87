import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from cardd.base.clock import SystemClock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.sealing import Sealer
from cardd.journal.database import Database
from cardd.journal.encoding import PreparedCall
from cardd.journal.events import ActivationRow, DeedRow, NewEvent, StoredEvent
from cardd.journal.reserve import Reserve, Space
from cardd.journal.store import Journal, Keeping

SIZE = 8192


@dataclass
class Disk:
    """How much is left, as far as the reserve is told; what it holds itself is not counted."""

    room: int = 1 << 30


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=disk.room, f_frsize=1))
    return disk


def kept(path: Path) -> dict[str, int]:
    return {file.name: file.stat().st_blocks * 512 for file in sorted(path.glob("reserve.*"))}


def test_space_is_set_aside_for_this_user_alone_and_kept_over_openings(tmp_path: Path) -> None:
    for _ in range(2):
        assert Reserve(tmp_path, SIZE).space is Space.AMPLE
        assert kept(tmp_path) == {"reserve.1": 4096, "reserve.2": 4096}
        assert (tmp_path / "reserve.1").stat().st_mode & 0o077 == 0


def test_it_is_given_up_in_two_steps_and_made_again_backwards(tmp_path: Path, disk: Disk) -> None:
    aside = Reserve(tmp_path, SIZE)
    assert [aside.release(), aside.space] == [True, Space.TIGHT]
    assert list(kept(tmp_path)) == ["reserve.2"]
    assert [aside.release(), aside.space] == [True, Space.CLOSING]
    assert kept(tmp_path) == {}
    assert not aside.release()
    disk.room = SIZE - 1
    assert not aside.make()
    disk.room = SIZE
    assert aside.make()
    assert (aside.space, len(kept(tmp_path))) == (Space.AMPLE, 2)


def test_what_was_given_up_stays_so_over_a_restart_while_there_is_no_room(tmp_path: Path, disk: Disk) -> None:
    Reserve(tmp_path, SIZE).release()
    disk.room = 0
    assert Reserve(tmp_path, SIZE).space is Space.TIGHT
    disk.room = SIZE
    assert Reserve(tmp_path, SIZE).space is Space.AMPLE


def test_a_disk_that_takes_nothing_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "full")

    monkeypatch.setattr(os, "posix_fallocate", full)
    assert Reserve(tmp_path, SIZE).space is Space.CLOSING
    assert kept(tmp_path) == {}


Fill = Callable[[int], None]


@pytest.fixture
def fill(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, disk: Disk) -> Fill:
    """Make the disk full until so many files of the reserve are given up; 0 makes it empty again."""
    append = Database.append
    wanted = 0

    def appending(self: Database, calls: list[PreparedCall]) -> list[tuple[StoredEvent, ...]]:
        if 2 - len(kept(tmp_path)) < wanted:
            error = sqlite3.OperationalError("full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        return append(self, calls)

    def set_(files: int) -> None:
        nonlocal wanted
        wanted, disk.room = files, 1 << 30 if files == 0 else 0

    monkeypatch.setattr(Database, "append", appending)
    return set_


EVENT = NewEvent("a.b", "s", {})


def activation(name: str, state: str = "authorising", *, is_open: bool = True) -> ActivationRow:
    return ActivationRow(name, "s", "pharmacy", state, is_open, {})


def deed(name: str, *, is_open: bool = True) -> DeedRow:
    return DeedRow("till", name, "account.debit", is_open, {})


async def refused(
    journal: Journal, *events: NewEvent, activation: ActivationRow | None = None, deed: DeedRow | None = None
) -> bool:
    try:
        await journal.record(*events, activation=activation, deed=deed)
    except CarddError as error:
        return error.reason is Reason.JOURNAL_FULL
    return False


@pytest.mark.asyncio
async def test_on_a_full_disk_what_is_open_comes_to_its_end_and_nothing_begins_until_space_returns(
    tmp_path: Path, sealer: Sealer, fill: Fill
) -> None:
    keeping = Keeping(reserve_bytes=SIZE)
    journal = Journal.open(tmp_path, sealer=sealer, clock=SystemClock(), source="/cardd/test", keeping=keeping)
    await journal.record(EVENT, activation=activation("a-1"))
    await journal.record(EVENT, activation=activation("a-2"), deed=deed("d-1"))
    fill(1)
    assert not await refused(journal, EVENT)
    assert journal.statistics().space is Space.TIGHT
    assert await refused(journal, EVENT, activation=activation("a-3"))
    assert await refused(journal, EVENT, deed=deed("d-2"))
    assert not await refused(journal, EVENT, activation=activation("a-1", "completed", is_open=False))
    fill(2)
    assert await refused(journal, EVENT)
    assert journal.statistics().space is Space.CLOSING
    assert not await refused(journal, EVENT, activation=activation("a-2", "updating_card"))
    assert not await refused(journal, EVENT, deed=deed("d-1", is_open=False))
    assert not await refused(journal)
    fill(3)
    assert await refused(journal, EVENT, activation=activation("a-2", "confirming"))
    fill(0)
    await journal.make_room()
    assert journal.statistics().space is Space.AMPLE
    assert not await refused(journal, EVENT, activation=activation("a-3"))
    assert len(kept(tmp_path)) == 2
    events = await journal.read(0, 100)
    assert [event.sequence for event in events] == list(range(1, 8))
    await journal.close()
