"""The examples of other languages, each run to the end of a whole handoff against a real daemon."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from cardd.client.blocking import Watch
from cardd.wire.events import EventsSubscribeParams, short_type
from cardsim.rig import Rig

EXAMPLES = Path(__file__).parents[2] / "examples"
PAGE = Path(__file__).parents[2] / "docs" / "clients.md"
PATIENCE_S = 60.0
"""A compiler, and a Java machine that starts while other tests run."""

Command = Callable[[Path, Rig], list[str]]


def compiled(directory: Path, rig: Rig) -> list[str]:
    program = directory / "pharmacy"
    flags = ["-std=gnu17", "-Wall", "-Wextra", "-Werror", f'-DSOCKET="{rig.socket}"']
    subprocess.run(["cc", *flags, "-o", str(program), str(EXAMPLES / "pharmacy.c")], check=True)
    return [str(program)]


def written_down(directory: Path, _: Rig) -> list[str]:
    """The first program of the page on clients."""
    program = directory / "till.py"
    program.write_text(PAGE.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0], encoding="utf-8")
    return [sys.executable, str(program)]


COMMANDS: dict[str, Command] = {
    "pharmacy.sh": lambda *_: [str(EXAMPLES / "pharmacy.sh")],
    "pharmacy.js": lambda *_: ["node", str(EXAMPLES / "pharmacy.js")],
    "pharmacy.c": compiled,
    "Pharmacy.java": lambda *_: ["java", str(EXAMPLES / "Pharmacy.java")],
    "pharmacy.py": lambda *_: [sys.executable, str(EXAMPLES / "pharmacy.py")],
    PAGE.name: written_down,
}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with Rig.start(tmp_path / "r") as rig:
        yield rig


@pytest.fixture(params=COMMANDS)
def example(request: pytest.FixtureRequest, tmp_path: Path, rig: Rig) -> list[str]:
    return COMMANDS[request.param](tmp_path, rig)


def run(command: list[str], rig: Rig, request: str, *, station: str = "counter-0") -> subprocess.Popen[str]:
    environment = {**rig.environment, "LC_ALL": "C.UTF-8"}
    # a program in C keeps its lines to itself otherwise where no terminal reads them
    unbuffered = ["stdbuf", "-oL", *command, station, request]
    return subprocess.Popen(unbuffered, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_every_pharmacy_there_is_an_example_of_at_most_fifteen_lines() -> None:
    lengths = {file.name: len(file.read_text(encoding="utf-8").splitlines()) for file in EXAMPLES.glob("*harmacy.*")}
    assert lengths.keys() == COMMANDS.keys() - {PAGE.name}
    assert max(lengths.values()) <= 15


def test_the_page_names_every_example() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [file.name for file in EXAMPLES.iterdir() if f"(../examples/{file.name})" not in page] == []


@pytest.mark.slow
def test_an_example_goes_through_a_handoff(rig: Rig, example: list[str], request: pytest.FixtureRequest) -> None:
    with Watch(EventsSubscribeParams(types=["activation.*"]), path=rig.socket) as watch:
        till = run(example, rig, request.node.name)
        try:
            hand_over(rig, watch)
            said, _ = till.communicate(timeout=PATIENCE_S)
        finally:
            till.kill()
    assert till.returncode == os.EX_OK, said
    for sentence in ("请插入原医保卡。", "请取出原医保卡，插入社会保障卡。", "社会保障卡已启用。"):
        assert sentence in said


@pytest.mark.slow
def test_an_example_that_is_run_again_says_what_is_to_be_done_and_how_it_ended(
    rig: Rig, example: list[str], request: pytest.FixtureRequest
) -> None:
    first = run(example, rig, request.node.name)
    with first, Watch(EventsSubscribeParams(after="earliest", types=["activation.*"]), path=rig.socket) as watch:
        assert next(iter(watch.events(PATIENCE_S))).event.type.endswith(".started.v1")
        first.kill()
    till = run(example, rig, request.node.name)
    try:
        assert till.stdout is not None
        assert "请插入原医保卡。" in _until(till.stdout, "请插入原医保卡。")
        with Watch(EventsSubscribeParams(after="earliest", types=["activation.*"]), path=rig.socket) as watch:
            hand_over(rig, watch)
        assert till.wait(PATIENCE_S) == os.EX_OK
    finally:
        till.kill()
        till.communicate()
    again = run(example, rig, request.node.name)
    try:
        said, _ = again.communicate(timeout=PATIENCE_S)
    finally:
        again.kill()
    assert (again.returncode, "社会保障卡已启用。" in said) == (os.EX_OK, True), said


def _until(lines: Iterable[str], word: str) -> str:
    """Return the first line that has the word, or an empty one at the end."""
    return next((line for line in lines if word in line), "")


@pytest.mark.slow
def test_an_example_says_why_nothing_began(rig: Rig, example: list[str]) -> None:
    till = run(example, rig, "r-1", station="nowhere")
    try:
        said, _ = till.communicate(timeout=PATIENCE_S)
    finally:
        till.kill()
    assert till.returncode not in {os.EX_OK, None}, said
    assert "NOT_FOUND" in said or "未找到" in said, said


def hand_over(rig: Rig, watch: Watch) -> None:
    """Put in the card that each step asks for, until the end."""
    for arrival in watch.events(PATIENCE_S):
        data = arrival.event.data
        match short_type(arrival.event.type), data.get("state"):
            case "activation.step", "waiting_old_card":
                rig.lab.insert_persona("old-jia", 0)
            case "activation.step", "waiting_social_card":
                rig.lab.remove(0)
                rig.lab.insert_persona("social-jia-3.0", 0)
            case "activation.completed" | "activation.refused", _:
                return
