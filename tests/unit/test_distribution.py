"""How tests are given out to workers: a run of some shows who got which."""

import re
import subprocess
import sys
from pathlib import Path

from support.distribution import APART, FIRST, turns

ROOT = Path(__file__).parents[2]
SOME = "tests/unit/iso7816"
RAN = re.compile(r"^\[(gw\d)\] .*? (\S+?)::", re.MULTILINE)


def test_a_files_tests_go_to_one_worker() -> None:
    options = ["-p", "no:cacheprovider", "-v", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *options, SOME], cwd=ROOT, capture_output=True, text=True, check=True
    )
    workers: dict[str, set[str]] = {}
    for worker, file in RAN.findall(ran.stdout):
        workers.setdefault(file, set()).add(worker)
    assert workers.keys() == {f"{SOME}/{path.name}" for path in (ROOT / SOME).glob("test_*.py")}
    assert {len(one) for one in workers.values()} == {1}
    assert set.union(*workers.values()) == {"gw0", "gw1"}


def test_files_that_are_given_out_in_another_way_are_there() -> None:
    assert [name for name in (*APART, *FIRST) if not (ROOT / name).exists()] == []


def test_long_files_come_first_and_those_that_wait_among_those_that_compute() -> None:
    files = [*(f"tests/lab/{number}" for number in range(2)), *(f"tests/unit/{number}" for number in range(4)), *FIRST]
    assert turns([*files, *files]) == [
        *FIRST,
        *("tests/lab/0", "tests/unit/0", "tests/unit/1"),
        *("tests/lab/1", "tests/unit/2", "tests/unit/3"),
    ]
