"""docs/reliability.md names tests that exist, and each requirement has one of its own."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "reliability.md"
IDS = [f"R{number:02}" for number in range(1, 32)]
LINK = re.compile(r"\[(test_\w+)\]\(\.\./(tests/[\w/]+\.py)\)")
OWN = re.compile(r"test_(r\d\d)_")
NEVER_RUN = {"skip", "skipif", "xfail"}


@dataclass(frozen=True)
class Row:
    id: str
    requirement: str
    on: str
    provoked: str
    tests: tuple[tuple[str, str], ...]

    @property
    def own(self) -> set[tuple[str, str]]:
        return {(name, path) for name, path in self.tests if name.startswith(f"test_{self.id.lower()}_")}


def rows() -> list[Row]:
    found = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if re.match(r"\| R\d", line):
            number, requirement, on, provoked, tests = (cell.strip() for cell in line.strip("|").split("|"))
            found.append(Row(number, requirement, on, provoked, tuple(LINK.findall(tests))))
    return found


def found_tests(path: Path) -> Iterator[tuple[str, set[str]]]:
    """Yield a file's tests and the names of what decorates them."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            marks = {
                part.attr for mark in node.decorator_list for part in ast.walk(mark) if isinstance(part, ast.Attribute)
            }
            yield node.name, marks


def test_each_requirement_stands_there_once_and_in_order() -> None:
    assert [row.id for row in rows()] == IDS
    assert len({row.requirement for row in rows()}) == len(IDS)
    assert all(row.requirement and row.provoked for row in rows())


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.id)
def test_a_requirement_names_tests_that_exist_and_run(row: Row) -> None:
    assert row.own
    for name, path in row.tests:
        found = dict(found_tests(ROOT / path))
        assert name in found, f"{path} has no {name}"
        assert not found[name] & NEVER_RUN


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.id)
def test_what_is_said_to_run_on_pcscd_runs_in_the_laboratory(row: Row) -> None:
    assert row.on in {"pcscd", "scripted", "socket"}
    in_lab = {(name, path) for name, path in row.own if path.startswith("tests/lab/")}
    if row.on == "pcscd":
        assert in_lab
        # and where a part of it does not, that is said
        assert row.own == in_lab or "(scripted)" in row.provoked


def test_every_test_named_after_a_requirement_stands_in_its_row() -> None:
    named = {(name, path) for row in rows() for name, path in row.own}
    exist = {
        (name, path.relative_to(ROOT).as_posix())
        for path in (ROOT / "tests").rglob("test_*.py")
        for name, _ in found_tests(path)
        if OWN.match(name)
    }
    assert exist == named
