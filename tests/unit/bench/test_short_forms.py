import json
import math
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.report import PLACE, ROOT, SHORT, Quotient, amount, spread
from bench.run import MEASUREMENTS, summary

LONG = {"one_core", "watch", "socket", "resident", "soak"}
"""Take more than four seconds also in their short form."""


def in_short(name: str, out: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, SHORT: "1", PLACE: str(out)}
    command = [sys.executable, "-m", f"bench.{name}"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in LONG)) for name in MEASUREMENTS]
)
def test_a_measurement_can_be_made_and_leaves_a_table_and_json_with_the_commit(name: str, tmp_path: Path) -> None:
    ended = in_short(name, tmp_path)
    assert ended.returncode == os.EX_OK, ended.stderr
    written = sorted(tmp_path.glob("*.json"))
    assert written
    for path in written:
        report = json.loads(path.read_text(encoding="utf-8"))
        assert re.fullmatch(r"[0-9a-f]{40}", report["commit"])
        # figures of a short run are none, and must not take the place of those that are
        assert report["short"] is True
        assert path.name == f"{report['bench']}-{report['commit'][:12]}-short.json"
        assert report["machine"] == {"cores": os.cpu_count(), "kernel": platform.release()}
        assert report["load"].keys() == {"before", "after"}
        figures = [*report["goals"], *report["quotients"]]
        assert figures
        for figure in figures:
            assert figure["least"] <= figure["median"] <= figure["greatest"], figure
            assert math.isfinite(figure["greatest"])
            assert figure["name"] in ended.stdout
        for row in report["rows"]:
            assert row["samples"] > 0
            assert row["name"] in ended.stdout


def test_every_module_that_publishes_figures_is_run_by_make_bench() -> None:
    publishing = {path.stem for path in (ROOT / "bench").glob("*.py") if "publish(" in path.read_text(encoding="utf-8")}
    # the report has the function
    assert publishing - {"report"} <= set(MEASUREMENTS)


def test_all_figures_of_a_run_stand_in_one_table_and_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(PLACE, str(tmp_path))
    quotient = {"name": "in parts of C", "median": 1.2, "least": 1.1, "greatest": 1.3}
    goal = {"name": "a second", "median": 90, "least": 80, "greatest": 99}
    goal |= {"bound": "at least", "wanted": 100, "reached": False}
    for name, figures in (("one", {"quotients": [quotient], "goals": []}), ("two", {"quotients": [], "goals": [goal]})):
        report = {"bench": name, "commit": "0" * 40, "load": {"before": 0.1, "after": 0.2}, **figures}
        (tmp_path / f"{name}-000.json").write_text(json.dumps(report), encoding="utf-8")
    summary(0.0)
    shown = capsys.readouterr().out
    assert "in parts of C: 1.2 (1.1 to 1.3)" in shown
    assert "a second: 90 (80 to 99), goal at least 100: NOT REACHED" in shown
    assert [one["bench"] for one in json.loads((tmp_path / "all-000000000000.json").read_text())] == ["one", "two"]


def test_a_figure_is_told_with_its_least_and_greatest_round() -> None:
    assert spread(Quotient.of("x", [3.0, 1.0, 2.0])) == "x: 2.0 (1.0 to 3.0)"


def test_a_short_run_does_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SHORT, raising=False)
    assert amount(100, short=2) == 100
    monkeypatch.setenv(SHORT, "1")
    assert amount(100, short=2) == 2
