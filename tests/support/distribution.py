"""Which tests go to which worker: a file's stay together, long ones begin first, and some files' go one by one.

pytest-xdist 3.8 groups by marker where it can write a test's address, which pytest 9.2 has taken away: its `loadgroup`
scatters every test by itself, and each worker then sets up for itself what a file's tests share.
"""

from collections.abc import Sequence
from typing import Final

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling  # type: ignore[import-untyped]

APART: Final = frozenset(
    {
        "tests/conformance/test_reader_survives_every_two_readings.py",
        "tests/crash/test_authority_matrix.py",
        "tests/crash/test_crash_matrix.py",
        "tests/crash/test_deeds_killed.py",
        "tests/crash/test_tear_matrix.py",
        "tests/lab/test_pharmacy.py",
    }
)
"""Files whose tests share nothing that is dear to set up, and take long together."""

FIRST: Final = (
    "tests/package/test_deb.py",
    "tests/unit/driver/test_driver_function_numbers.py",
    "tests/conformance/test_reader_survives_every_reading.py",
    "tests/lab/test_chaos_handoff.py",
    "tests/lab/test_chaos_jobs.py",
)
"""What takes longest, so that nothing is left to one worker at the end."""


WAITING: Final = tuple(f"tests/{name}/" for name in ("clients", "crash", "hostile", "lab", "service"))
"""Where tests wait for programs and pcscd most of the time, while others have the processors."""


def file_of(address: str) -> str:
    """Return the file of a test's address."""
    return address.partition("::")[0]


def scope_of(address: str) -> str:
    """Return what goes to one worker with the test at an address, by a name of its own."""
    return address if file_of(address) in APART else file_of(address)


def in_order(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return tests file by file, the files in the order that `turns` has."""
    turn = {file: number for number, file in enumerate(turns([file_of(item.nodeid) for item in items]))}
    return sorted(items, key=lambda item: turn[file_of(item.nodeid)])


def turns(files: Sequence[str]) -> list[str]:
    """Return the longest files, then those that wait and those that compute by turns, so that both last to the end."""
    files = list(dict.fromkeys(files))
    first = [file for file in FIRST if file in files]
    place: dict[str, float] = {}
    for waiting in (True, False):
        some = [file for file in files if file not in first and _waits(file) is waiting]
        place |= {file: number / len(some) for number, file in enumerate(some)}
    return first + sorted(place, key=place.__getitem__)


def _waits(file: str) -> bool:
    return file.startswith(WAITING)


class ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """Gives each worker a file's tests at a time, in the order in which they were collected."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)
