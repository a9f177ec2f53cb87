"""Answers damaged at random, read with every access to memory looked at."""

import os
import subprocess
from pathlib import Path

import pytest
from support.sscard import DRIVER

HERE = Path(__file__).parent
FLAGS = ("-std=c11", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-g", "-O1")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
QUICK = {"ASAN_OPTIONS": "quarantine_size_mb=4"}
"""What one answer lets go, and some thousand before it, is looked after; 256 MiB of it took two thirds of the time."""
PARTS = ("answer", "asked", "charset", "json_read", "text", "utf8")


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("hostile") / "hostile_answers"
    sources = [str(HERE / "hostile_answers.c"), *(str(DRIVER / f"{part}.c") for part in PARTS)]
    subprocess.run(["cc", *FLAGS, *SANITIZERS, f"-I{DRIVER}", "-o", str(program), *sources], check=True)
    return program


def read_damaged(reader: Path, seed: int, count: int) -> dict[str, int]:
    done = subprocess.run(
        [reader, str(seed), str(count)], env={**os.environ, **QUICK}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    words = done.stdout.split()
    return dict(zip(words[::2], map(int, words[1::2]), strict=True))


def check_kinds(kinds: dict[str, int], count: int) -> None:
    assert all(found > count // 100 for found in kinds.values()), f"the damage leaves one kind out: {kinds}"
    assert sum(kinds.values()) - kinds["prompts"] == count


@pytest.mark.parametrize("seed", range(1, 5))
def test_damaged_answers_touch_no_memory_but_theirs_and_leave_texts_in_order(seed: int, reader: Path) -> None:
    check_kinds(read_damaged(reader, seed, 10_000), 10_000)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(1_000, 1_004))
def test_a_million_damaged_answers_do_not_either(seed: int, reader: Path) -> None:
    check_kinds(read_damaged(reader, seed, 250_000), 250_000)
