#!/usr/bin/env python3
"""Break places in the code, one at a time and picked by a seed, and tell which breaks no test notices.

Only a copy of the checkout, outside of it, is ever changed. The places are taken in turn from the card's rules, the
cryptography, the reader's card applications and the virtual card. A break that the quick tests of its area let pass is
tried again with those of all areas. The exit code is 1 if one survives.
"""

import argparse
import ast
import os
import queue
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
_LONGEST_S: Final = 600

AREAS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "cardd/rules": (
            "tests/unit/rules",
            "tests/conformance/test_tables_match_transcription.py",
            "tests/conformance/test_keys_and_codes_match_transcription.py",
            "tests/property/test_rules_properties.py",
            "tests/property/test_content_properties.py",
            "tests/property/test_address_round_trip.py",
        ),
        "cardd/crypto": ("tests/unit/crypto", "tests/property/test_crypto_properties.py"),
        "cardd/cards": ("tests/unit/cards", "tests/unit/desk", "tests/unit/keys"),
        "simulators/cardsim/card": (
            "tests/unit/cardsim",
            "tests/conformance/test_exchange_scripts.py",
            "tests/conformance/card",
            "tests/property/test_any_command_is_answered_legally.py",
        ),
    }
)
"""What is broken, and the quick tests that should notice."""

_PROVES_NOTHING: Final = "--ignore=tests/unit/rules/test_card_page.py"
"""A page that is written from the tables notices every change of them, and tells nothing of who is right."""

_COMPARISONS: Final[Mapping[type[ast.cmpop], str]] = MappingProxyType(
    {
        ast.Eq: "!=",
        ast.NotEq: "==",
        ast.Lt: "<=",
        ast.LtE: "<",
        ast.Gt: ">=",
        ast.GtE: ">",
        ast.In: "not in",
        ast.NotIn: "in",
        ast.Is: "is not",
        ast.IsNot: "is",
    }
)
_OPERATORS: Final[Mapping[type[ast.operator], str]] = MappingProxyType(
    {
        ast.Add: "-",
        ast.Sub: "+",
        ast.Mult: "+",
        ast.FloorDiv: "*",
        ast.Mod: "+",
        ast.BitOr: "&",
        ast.BitAnd: "|",
        ast.BitXor: "|",
        ast.LShift: ">>",
        ast.RShift: "<<",
    }
)
_LEFT_ALONE: Final = frozenset({"__repr__"})


@dataclass(frozen=True, slots=True)
class Mutation:
    """One break: a part of a file, and what stands there instead."""

    path: str
    line: int
    start: int
    end: int
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}  {_short(self.before)}  ->  {_short(self.after)}"


class _Sites(ast.NodeVisitor):
    """Finds the breaks of one file. Annotations, decorators, docstrings and texts for people are left alone."""

    def __init__(self, path: str, source: str) -> None:
        self.found: list[Mutation] = []
        self._path = path
        self._source = source.encode()
        self._offsets = [0]
        for line in self._source.splitlines(keepends=True):
            self._offsets.append(self._offsets[-1] + len(line))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        if node.name not in _LEFT_ALONE:
            for part in (*node.args.defaults, *node.args.kw_defaults, *node.body):
                if part is not None:
                    self.visit(part)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in node.body:
            self.visit(part)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Leave texts alone."""

    def visit_Raise(self, node: ast.Raise) -> None:
        """Leave errors alone: their texts are for people."""

    def visit_Constant(self, node: ast.Constant) -> None:
        value = node.value
        if isinstance(value, bool):
            self._add(node, str(not value))
        elif isinstance(value, int):
            self._add(node, str(value + 1))
        elif isinstance(value, bytes):
            self._add(node, repr(bytes((value[0] ^ 1,)) + value[1:] if value else b"\x00"))

    def visit_Compare(self, node: ast.Compare) -> None:
        other = _COMPARISONS.get(type(node.ops[0]))
        if other and len(node.ops) == 1:
            self._add(node, f"{self._text(node.left)} {other} {self._text(node.comparators[0])}")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        other = _OPERATORS.get(type(node.op))
        if other:
            self._add(node, f"{self._text(node.left)} {other} {self._text(node.right)}")
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        word = " or " if isinstance(node.op, ast.And) else " and "
        self._add(node, word.join(f"({self._text(value)})" for value in node.values))
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self._add(node, f"bool({self._text(node.operand)})")
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        self._add(node.test, f"not ({self._text(node.test)})")
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._add(node.test, f"not ({self._text(node.test)})")
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None and not isinstance(node.value, ast.Constant):
            self._add(node, "return None")
            self.visit(node.value)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call):
            self._add(node, "pass")
            self.visit(node.value)

    def _add(self, node: ast.expr | ast.stmt, after: str) -> None:
        before = self._text(node)
        start = self._offsets[node.lineno - 1] + node.col_offset
        # in brackets an expression may stand in for any other
        text = f"({after})" if isinstance(node, ast.expr) else after
        self.found.append(Mutation(self._path, node.lineno, start, start + len(before.encode()), before, text))

    def _text(self, node: ast.expr | ast.stmt) -> str:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self._offsets[node.lineno - 1] + node.col_offset
        return self._source[start : self._offsets[node.end_lineno - 1] + node.end_col_offset].decode()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the tests said of a break: the first one that failed, None where none did."""

    mutation: Mutation
    killer: str | None


def sites(area: str) -> Iterator[Mutation]:
    """Yield every break of an area."""
    for path in sorted((ROOT / area).rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        finder = _Sites(str(path.relative_to(ROOT)), source)
        finder.visit(ast.parse(source))
        yield from finder.found


def pick(seed: int, count: int) -> list[Mutation]:
    """Pick so many breaks, from each area in turn."""
    chance = random.Random(seed)
    pools = {area: list(sites(area)) for area in AREAS}
    for pool in pools.values():
        chance.shuffle(pool)
    return [pools[area].pop() for area in (list(AREAS) * count)[:count]]


class Copy:
    """One copy of the checkout, as it stands in the working tree."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        listed = subprocess.run(
            ["git", "ls-files", "-z"],
            cwd=ROOT,
            capture_output=True,
            check=True,  # whichever git there is
        )
        for name in filter(None, listed.stdout.decode().split("\0")):
            if (ROOT / name).is_file():
                (directory / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, directory / name)

    def judge(self, mutation: Mutation) -> Verdict:
        """Break one place, run the tests, mend it."""
        path = self._directory / mutation.path
        whole = path.read_bytes()
        path.write_bytes(whole[: mutation.start] + mutation.after.encode() + whole[mutation.end :])
        try:
            area = next(area for area in AREAS if mutation.path.startswith(area))
            others = [test for name, tests in AREAS.items() if name != area for test in tests]
            return Verdict(mutation, self.first_failure(AREAS[area]) or self.first_failure(others))
        finally:
            path.write_bytes(whole)

    def first_failure(self, tests: Sequence[str]) -> str | None:
        """Run tests until one fails, and return its name; None where all pass."""
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", _PROVES_NOTHING, *tests]
        paths = os.pathsep.join((str(self._directory), str(self._directory / "simulators")))
        environment = {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            ran = subprocess.run(
                command,
                cwd=self._directory,
                env=environment,
                capture_output=True,
                text=True,
                timeout=_LONGEST_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "does not end"
        if ran.returncode == 0:
            return None
        failures = [line for line in ran.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
        return failures[0].split(" - ")[0] if failures else f"pytest ends with {ran.returncode}"


def main() -> int:
    """Pick, break, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=None, help="which places; default: a new one, printed")
    parser.add_argument("--count", type=int, default=30, help="how many places (30)")
    parser.add_argument("--only", type=int, action="append", help="only this number of the table; may be repeated")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at once")
    parser.add_argument("--list", action="store_true", help="print the places, break nothing")
    wanted = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 32) if wanted.seed is None else wanted.seed
    picked = [(number, mutation) for number, mutation in enumerate(pick(seed, wanted.count), 1)]
    picked = [(number, mutation) for number, mutation in picked if not wanted.only or number in wanted.only]
    print(f"seed {seed}: {len(picked)} places", flush=True)
    if wanted.list:
        for number, mutation in picked:
            print(f"{number:3}  {mutation}")
        return os.EX_OK
    with tempfile.TemporaryDirectory(prefix="cardd-mutants-") as directory:
        return _run(picked, [Copy(Path(directory) / str(number)) for number in range(wanted.jobs)])


def _run(picked: Sequence[tuple[int, Mutation]], copies: Sequence[Copy]) -> int:
    broken = copies[0].first_failure([test for tests in AREAS.values() for test in tests])
    if broken:
        print(f"mutate: the tests fail before anything is broken: {broken}", file=sys.stderr)
        return os.EX_UNAVAILABLE
    free: queue.SimpleQueue[Copy] = queue.SimpleQueue()
    for copy in copies:
        free.put(copy)

    def judge(numbered: tuple[int, Mutation]) -> Verdict:
        copy = free.get()
        try:
            return copy.judge(numbered[1])
        finally:
            free.put(copy)

    survivors = 0
    with ThreadPoolExecutor(len(copies)) as pool:
        for (number, mutation), verdict in zip(picked, pool.map(judge, picked), strict=True):
            survivors += verdict.killer is None
            print(f"{number:3}  {verdict.killer or 'SURVIVED'}\n     {mutation}", flush=True)
    print(f"{len(picked)} broken, {len(picked) - survivors} noticed, {survivors} survived")
    return 1 if survivors else os.EX_OK


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 70 else f"{line[:67]}..."  # noqa: PLR2004 # columns of a table


if __name__ == "__main__":
    sys.exit(main())
