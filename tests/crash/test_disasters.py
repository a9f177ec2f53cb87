"""What happens around a handoff: the clock is set, the disk is full, a second daemon is started by mistake."""

import asyncio
import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest
from support.bare_daemon import bare_daemon
from support.matrix_clerk import VARIATIONS, Clerk, Variation
from support.matrix_house import House
from support.matrix_run import Matrix, play, tally
from support.small_disk import on_a_disk_of_its_own
from support.waiting import comes_true

from cardd.journal.events import StoredEvent
from cardd.wire.activation import ActivationResult
from cardsim.rig import program

FULL_DISK = Path(__file__).with_name("full_disk.py")
HOUR = timedelta(hours=1)
DISK = "12m"
COUNTED = re.compile(r"full after (\d+) of (\d+) commits")
DYING = ("activation.not_stored", "reception.unrecorded")
"""What a daemon logs that may write no more."""


# -- the clock


@dataclass(frozen=True)
class Jump:
    """The clock is set after the n-th commit of an activation, and perhaps the daemon dies there."""

    commit: int
    by: timedelta
    dies: bool


async def jumped(house: House, clerk: Clerk, jump: Jump) -> ActivationResult:
    left = jump.commit
    there = asyncio.Event()

    def count(events: Sequence[StoredEvent]) -> None:
        nonlocal left
        about = [event.correlation for event in events if event.correlation is not None]
        left -= bool(about)
        if left == 0 and not there.is_set():
            # who asked for it may not have heard of it yet
            clerk.customer.activation = str(about[0])
            house.clock.offset += jump.by
            there.set()

    forget = house.journal.subscribe(count)
    serving = asyncio.create_task(clerk.serve())
    if jump.dies:
        await asyncio.wait({serving, (reached := asyncio.create_task(there.wait()))}, return_when="FIRST_COMPLETED")
        assert reached.done()
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving
        await house.crash()
        await house.begin()
        view = await asyncio.create_task(clerk.finish())
        house.take(clerk.slot)
    else:
        view = await serving
    forget()
    assert there.is_set(), f"{jump}: it never came to that commit"
    return view


def foreseen(jump: Jump) -> set[str]:
    """A clock that is set ends nothing; one that is an hour on after a restart has passed the deadlines of people."""
    return {"activated", "expired"} if jump.dies and jump.by > timedelta() else {"activated"}


async def set_clocks(directory: Path, variation: Variation, every: int) -> str:
    matrix = Matrix(House(directory / "h", 1, {"pin_policy": str(variation.pins)}), 100 // every + 4)
    house = matrix.house
    await house.begin()
    clean = Clerk.undisturbed(house, 0, matrix.customer(variation))
    assert (await clean.serve()).outcome == "activated"
    commits = len({event.time for event in house.of(clean.customer.activation)})
    points = [Jump(*one) for one in product(range(1, commits), (HOUR, -HOUR), (False, True))]
    chosen = points[::every]
    ran = await matrix.run(variation, chosen, lambda clerk, jump: jumped(house, clerk, jump))
    await matrix.judge()
    for jump, one in ran:
        assert one.end in foreseen(jump), f"{jump}: {one.end}"
    return f"{variation}: {len(ran)} of {len(points)} clocks set: {tally(ran)}"


@pytest.mark.parametrize("variation", VARIATIONS[3:4], ids=str)
def test_a_clock_that_is_set_during_an_activation_ends_nothing(tmp_path: Path, variation: Variation) -> None:
    play(set_clocks(tmp_path, variation, 4), DYING)


@pytest.mark.night
@pytest.mark.parametrize("variation", VARIATIONS, ids=str)
def test_a_clock_that_is_set_after_any_commit_ends_nothing(
    tmp_path: Path, variation: Variation, capsys: pytest.CaptureFixture[str]
) -> None:
    report = play(set_clocks(tmp_path, variation, 1), DYING)
    with capsys.disabled():
        sys.stdout.write(f"\n{report}\n")


# -- the disk


def fill(directory: Path, variation: Variation, every: int, reserve_mb: int) -> str:
    disk = directory / "disk"
    disk.mkdir(parents=True)
    script = 'exec "$2" "$3" "$1" "$4" "$5" "$6"'
    arguments = (str(disk), sys.executable, str(FULL_DISK), str(variation), str(every), str(reserve_mb))
    path = os.environ.get("PYTHONPATH")
    with pytest.MonkeyPatch.context() as patch:
        # what this process can import
        patch.setenv("PYTHONPATH", os.pathsep.join([path] if path else []) + os.pathsep + os.pathsep.join(sys.path))
        done = on_a_disk_of_its_own(DISK, script, *arguments, seconds=200)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("reserve_mb", [0, 2])
def test_a_disk_that_is_full_for_a_while_delays_an_activation_and_no_more(tmp_path: Path, reserve_mb: int) -> None:
    said = fill(tmp_path, VARIATIONS[0], 6, reserve_mb)
    assert "JOURNAL_FULL" in said
    # with a reserve what is open has no need to wait
    assert ("'told as late': 0" in said) == bool(reserve_mb)


@pytest.mark.night
@pytest.mark.timeout(1500)
def test_a_disk_full_after_any_commit_of_any_route_delays_and_no_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled = whole = 0
    for number, (variation, reserve_mb) in enumerate(product(VARIATIONS, [0, 2])):
        # a socket's path has to be short
        report = fill(tmp_path / str(number), variation, 1, reserve_mb)
        counted = COUNTED.search(report)
        assert counted is not None, report
        filled, whole = filled + int(counted[1]), whole + int(counted[2])
        with capsys.disabled():
            sys.stdout.write(f"\n{report}\n")
    with capsys.disabled():
        sys.stdout.write(
            f"\nfull after {filled} of {whole} commits, {len(VARIATIONS)} pairs, without and with a reserve\n"
        )
    assert filled == whole


# -- a second daemon


def test_a_second_daemon_on_the_same_directory_leaves_and_the_first_one_goes_on(tmp_path: Path) -> None:
    with bare_daemon(tmp_path) as first:
        command = [program("cardd"), "run", "--config", str(tmp_path / "cardd.yaml")]
        second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        assert second.returncode not in {0, 1}, second.stderr
        assert f"in use by another cardd (process {first.process.pid})" in second.stderr
        assert "Traceback" not in second.stderr
        # its socket is still its own
        first.client().close()


async def a_second_one(directory: Path) -> None:
    matrix = Matrix(House(directory / "h", 1, {"pin_policy": "verify"}), 1)
    house = matrix.house
    await house.begin()
    clerk = Clerk(house, 0, matrix.customer(VARIATIONS[0]))
    serving = asyncio.create_task(clerk.serve())
    await comes_true(lambda: house.told("prompt.opened"), "a prompt", 20.0)
    command = [program("cardd"), "run", "--config", str(house.directory / "cardd.yaml")]
    second = await asyncio.create_subprocess_exec(*command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    _, said = await second.communicate()
    assert b"in use by another cardd" in said
    assert (await serving).outcome == "activated"
    await matrix.judge()


def test_a_second_daemon_in_the_middle_of_a_handoff_disturbs_nothing(tmp_path: Path) -> None:
    play(a_second_one(tmp_path))
