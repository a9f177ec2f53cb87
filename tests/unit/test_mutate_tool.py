"""The tool that breaks code on purpose: it finds places, breaks one in a copy only, and tells who notices."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def mutate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mutate", ROOT / "tools" / "mutate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutate"] = module
    spec.loader.exec_module(module)
    return module


def broken(mutate: ModuleType, source: str) -> list[str]:
    """Every text that a source is broken into."""
    finder = mutate._Sites("x.py", source)
    finder.visit(mutate.ast.parse(source))
    raw = source.encode()
    return [(raw[: m.start] + m.after.encode() + raw[m.end :]).decode() for m in finder.found]


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("x = a == b\n", ["x = (a != b)\n"]),
        ("x = a in b\n", ["x = (a not in b)\n"]),
        ("x = '中', 0x0A\n", ["x = '中', (11)\n"]),
        ("x = b'\\x80'\n", ["x = (b'\\x81')\n"]),
        ("x = a | b\n", ["x = (a & b)\n"]),
        ("x = a and b\n", ["x = ((a) or (b))\n"]),
        ("def f():\n    return a\n", ["def f():\n    return None\n"]),
        ("if a:\n    b()\n", ["if (not (a)):\n    b()\n", "if a:\n    pass\n"]),
    ],
)
def test_a_place_is_broken_in_one_way(mutate: ModuleType, source: str, wanted: list[str]) -> None:
    assert broken(mutate, source) == wanted


@pytest.mark.parametrize(
    "source",
    [
        '"""A text."""\n',
        "x: Literal[1]\n",
        "@dataclass(frozen=True)\nclass A:\n    pass\n",
        "def __repr__(self):\n    return f'{1}'\n",
        "raise Error(f'{1 + 2}')\n",
    ],
)
def test_what_only_people_read_is_left_alone(mutate: ModuleType, source: str) -> None:
    assert broken(mutate, source) == []


def test_a_seed_always_picks_the_same_places_and_every_area_in_turn(mutate: ModuleType) -> None:
    first = mutate.pick(7, 8)
    assert first == mutate.pick(7, 8)
    assert first != mutate.pick(8, 8)
    assert [next(area for area in mutate.AREAS if place.path.startswith(area)) for place in first] == [
        *mutate.AREAS
    ] * 2


def test_a_break_that_is_noticed_is_told_with_the_test_and_the_copy_is_mended(
    mutate: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    (here / "tests").mkdir(parents=True)
    (here / "module.py").write_text("def f():\n    return 1 + 1\n")
    (here / "tests" / "test_it.py").write_text("import module\n\ndef test_sum():\n    assert module.f() == 2\n")
    subprocess.run("git init -q . && git add .", shell=True, cwd=here, check=True)  # noqa: S602
    monkeypatch.setattr(mutate, "ROOT", here)
    monkeypatch.setattr(mutate, "AREAS", {"module.py": ("tests",)})
    (tmp_path / "copy").mkdir()
    copy = mutate.Copy(tmp_path / "copy")
    finder = mutate._Sites("module.py", (here / "module.py").read_text())
    finder.visit(mutate.ast.parse((here / "module.py").read_text()))
    killers = [copy.judge(mutation).killer for mutation in finder.found]
    assert killers == ["FAILED tests/test_it.py::test_sum"] * len(finder.found)
    assert copy.first_failure(["tests"]) is None
    assert (here / "module.py").read_text() == (tmp_path / "copy" / "module.py").read_text()
