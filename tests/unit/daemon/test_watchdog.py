"""R28 of docs/reliability.md: the watchdog proves that the work loop lives."""

import asyncio
import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import cast

import pytest

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.config import Config
from cardd.daemon import Daemon
from cardd.journal.store import Journal
from cardd.reloading import Reloading
from cardd.service import prove_life, watchdog_s

TERM_S = 0.15


class Manager:
    """What a service manager hears."""

    def __init__(self, directory: Path) -> None:
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.bind(os.fspath(directory / "notify"))
        self._sock.setblocking(False)
        self.environment = {"NOTIFY_SOCKET": str(directory / "notify"), "WATCHDOG_USEC": str(int(TERM_S * 1e6))}

    def heard(self) -> int:
        """Return how many signs of life have come since the last time."""
        count = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                assert self._sock.recv(64) == b"WATCHDOG=1"
                count += 1
        return count

    def close(self) -> None:
        self._sock.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path)
    yield manager
    manager.close()


async def _nothing() -> None:
    return


@pytest.mark.asyncio
async def test_r28_a_loop_that_stands_still_gives_no_sign_of_life_though_other_threads_live(manager: Manager) -> None:
    ended = threading.Event()
    beside = threading.Thread(target=ended.wait)
    beside.start()
    task = asyncio.create_task(prove_life(_nothing, manager.environment))
    await asyncio.sleep(2 * TERM_S)
    assert manager.heard() >= 3
    time.sleep(2 * TERM_S)  # noqa: ASYNC251 - the loop stands still: that is the test
    assert beside.is_alive()
    assert manager.heard() == 0
    await asyncio.sleep(TERM_S)
    assert manager.heard() >= 1
    task.cancel()
    ended.set()
    beside.join()


@pytest.mark.asyncio
async def test_r28_work_that_does_not_come_to_its_end_gives_no_sign_of_life(manager: Manager) -> None:
    stuck = asyncio.Event()

    async def work() -> None:
        await stuck.wait()

    task = asyncio.create_task(prove_life(work, manager.environment))
    await asyncio.sleep(2 * TERM_S)
    assert manager.heard() == 0
    stuck.set()
    await asyncio.sleep(TERM_S)
    assert manager.heard() >= 1
    task.cancel()


@pytest.mark.asyncio
async def test_where_no_sign_is_wanted_none_is_given() -> None:
    await asyncio.wait_for(prove_life(_nothing, {}), 1)


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(os.getpid())}, 0.5),
    ],
)
def test_the_term_is_the_service_managers(environment: dict[str, str], seconds: float | None) -> None:
    assert watchdog_s(environment) == seconds


class FullJournal:
    """A journal whose thread answers, though it can take nothing."""

    async def record(self) -> None:
        raise CarddError(Reason.JOURNAL_FULL)


@pytest.mark.asyncio
async def test_a_full_disk_is_no_reason_to_be_taken_for_dead(manager: Manager) -> None:
    daemon = Daemon(cast("Journal", FullJournal()), Reloading(Config(), {}), AsyncExitStack())
    task = asyncio.create_task(prove_life(daemon.reach_journal, manager.environment))
    await asyncio.sleep(2 * TERM_S)
    assert manager.heard() >= 3
    task.cancel()
