"""`cardsim run`: exit codes, reports, several at once, parts of all runs, an interrupt."""

import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import jsonschema
import pytest
import yaml
from support.scenarios import written

from cardsim.cli import main
from cardsim.rig import program
from cardsim.scenario import crew
from cardsim.scenario.outcome import Came
from cardsim.scenario.runner import Job

GOOD = "- pass: 1"
BAD = "- wait: card.removed\n  within_s: 1"
BROKEN = "- insrt: x"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    words = [program("cardsim"), "run", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=100)


def test_the_exit_code_tells_passed_failed_and_broken_and_the_text_says_why(tmp_path: Path) -> None:
    good = written(tmp_path, GOOD, name="good.yaml")
    bad = written(tmp_path, BAD, name="bad.yaml")
    broken = written(tmp_path, BROKEN, name="broken.yaml")
    done = run(good)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1 of 1 run: 1 passed")
    done = run(good, bad, "--seed", "9")
    assert done.returncode == 1
    assert f"  {bad}:4:\n    expected  card.removed within 1 s\n    came      no event\n" in done.stdout
    assert f"  again: cardsim run {bad} --on in-process --seed 9\n" in done.stdout
    done = run(good, bad, broken)
    assert done.returncode == 65
    assert f"{broken}:4:5" in done.stdout


def test_a_scenario_that_cannot_be_read_has_no_seed_to_run_it_again_by(tmp_path: Path) -> None:
    broken = written(tmp_path, BROKEN, name="broken.yaml")
    done = run(broken)
    assert "broken      broken  [in-process, no seed]" in done.stdout
    assert f"  again: cardsim run {broken} --on in-process\n" in done.stdout
    assert f"  again: cardsim run {broken} --on in-process --seed 10\n" in run(broken, "--seed", 9, "--times", 2).stdout


def test_reports_say_the_same_for_people_junit_and_programs(tmp_path: Path) -> None:
    bad = written(tmp_path, BAD, name="bad.yaml")
    files = [tmp_path / name for name in ("r.xml", "r.json", "r.txt")]
    words = [word for file in files for word in ("--report", str(file))]
    done = run(written(tmp_path, GOOD, name="good.yaml"), bad, *words)
    assert done.returncode == 1
    suite = ET.fromstring(files[0].read_bytes())  # noqa: S314 # our own
    assert {name: suite.get(name) for name in ("tests", "failures", "errors")} == {
        "tests": "2",
        "failures": "1",
        "errors": "0",
    }
    (failure,) = suite.iter("failure")
    assert f"{bad}:4" in (failure.text or "")
    assert "--seed 1" in (failure.text or "")
    assert failure.get("type") == "failed"
    told = json.loads(files[1].read_bytes())
    assert [one["came"] for one in told["results"]] == ["passed", "failed"]
    assert told["results"][1]["failures"] == [
        {"place": f"{bad}:4", "expected": "card.removed within 1 s", "came": "no event"}
    ]
    assert f"{bad}:4" in files[2].read_text(encoding="utf-8")


def test_reports_can_be_read_whatever_a_scenario_and_its_file_are_called(tmp_path: Path) -> None:
    bad = written(tmp_path, BAD, name="a\x01 <&>\udcff.yaml")
    bad.write_text(bad.read_text(encoding="utf-8").replace("a test", '"it \\x01 rings \\a"'), encoding="utf-8")
    files = [tmp_path / name for name in ("r.xml", "r.json", "r.txt")]
    done = run(bad, *(word for file in files for word in ("--report", str(file))))
    assert (done.returncode, done.stderr) == (1, "")
    (case,) = ET.fromstring(files[0].read_bytes()).iter("testcase")  # noqa: S314 # our own
    assert case.get("name") == "it  rings  (seed 1)"
    assert (case.get("classname") or "").endswith("a <&>.yaml.in-process")
    (told,) = json.loads(files[1].read_bytes())["results"]
    assert (Path(told["path"]).name, told["came"]) == ("a\x01 <&>?.yaml", "failed")
    assert "a\x01 <&>?.yaml:4:" in files[2].read_text(encoding="utf-8")


def test_several_at_once_report_as_one_after_the_other(tmp_path: Path) -> None:
    report = tmp_path / "r.json"
    done = run(
        written(tmp_path, GOOD, name="good.yaml"),
        written(tmp_path, BAD, name="bad.yaml"),
        *("--times", 2, "--jobs", 2, "--report", report),
    )
    assert done.returncode == 1
    results = json.loads(report.read_bytes())["results"]
    assert sorted((one["came"], one["seed"]) for one in results) == [
        ("failed", 1),
        ("failed", 2),
        ("passed", 1),
        ("passed", 2),
    ]


def test_the_parts_of_all_runs_are_all_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, report = written(tmp_path, GOOD), tmp_path / "r.json"
    seeds = []
    for part in ("1/3", "2/3", "3/3"):
        done = run(good, "--times", 4, "--shard", part, "--report", report)
        assert done.returncode == 0
        seeds += [one["seed"] for one in json.loads(report.read_bytes())["results"]]
    assert sorted(seeds) == [1, 2, 3, 4]
    assert main(["run", str(good), "--shard", "4/3"]) == os.EX_USAGE
    assert "write 1/3, 2/3 or 3/3" in capsys.readouterr().err


def test_at_a_running_daemon_there_is_one_counter_and_one_run_at_a_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(written(tmp_path, GOOD)), "--on", "running", "--jobs", "2"]) == os.EX_USAGE
    assert "one after the other" in capsys.readouterr().err


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGHUP], ids=["Ctrl-C", "a terminal that goes"])
@pytest.mark.parametrize("more", [[], ["--jobs", "2"]])
def test_an_interrupt_ends_a_run_with_its_report_so_far_and_leaves_nothing(
    tmp_path: Path, more: list[str], how: signal.Signals
) -> None:
    good = written(tmp_path, GOOD, name="good.yaml")
    long = written(tmp_path, "- repeat: 1000000\n  do: [{pass: 1}]", name="long.yaml")
    report = tmp_path / "r.json"
    words = [program("cardsim"), "run", str(good), str(long), "--report", str(report), *more]
    with (
        # a socket's path is short
        tempfile.TemporaryDirectory(prefix="left-") as left,
        subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": left}) as process,
    ):
        end = time.monotonic() + 60
        while not report.exists() and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(how)
        said, _ = process.communicate(timeout=60)
        assert not list(Path(left).iterdir())
    assert process.returncode == 130
    assert "interrupted" in said
    came = {Path(one["path"]).name: one["came"] for one in json.loads(report.read_bytes())["results"]}
    assert came == {"good.yaml": "passed", "long.yaml": "interrupted"}


def test_a_run_that_was_only_just_beginning_when_it_was_interrupted_is_no_broken_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beginning = tmp_path / "cardsim"
    beginning.write_text("#!/bin/sh\necho Traceback >&2\nexec sleep 60\n", encoding="ascii")
    beginning.chmod(0o755)
    monkeypatch.setattr(crew, "program", lambda _: str(beginning))
    pauses = iter([KeyboardInterrupt()])

    def pause(seconds: float) -> None:
        for interrupt in pauses:
            raise interrupt
        time.sleep(seconds)

    monkeypatch.setattr(crew, "time", SimpleNamespace(sleep=pause, monotonic=time.monotonic, monotonic_ns=time.time_ns))
    (result,) = crew.side_by_side([Job(written(tmp_path, GOOD))], 2)
    assert (result.came, result.failures) == (Came.INTERRUPTED, [])


def test_a_machine_without_a_daemon_is_told_as_a_broken_machine(tmp_path: Path) -> None:
    done = run(written(tmp_path, GOOD), "--on", "running", "--dir", tmp_path, "--socket", tmp_path / "none")
    assert done.returncode == 69
    assert "there is no socket" in done.stdout


CALLS = {
    "no laboratory": (["--on", "running"], 64, "which laboratory? name it by --dir or CARDSIM_DIR"),
    "no daemon": (["--on", "running", "--dir", "."], 64, "which daemon? name its socket by --socket or CARDD_SOCKET"),
    "a daemon where none is looked for": (["--socket", "s"], 64, "--socket says where a daemon runs already"),
    "a laboratory where none is looked for": (["--on", "pcscd", "--dir", "."], 64, "it goes with --on running"),
    "a daemon that is not there": (["--on", "running", "--dir", ".", "--socket", "s"], 69, "there is no socket s"),
}


@pytest.mark.parametrize(("words", "code", "said"), CALLS.values(), ids=CALLS)
def test_a_call_that_names_no_counter_is_wrong_and_one_of_which_the_counter_is_away_is_not(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    said: str,
) -> None:
    for name in ("CARDSIM_DIR", "CARDD_SOCKET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    path = written(tmp_path, GOOD)
    monkeypatch.chdir(tmp_path)
    assert main(["run", str(path), *words]) == code
    told = capsys.readouterr()
    assert said in told.out + told.err
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_the_environment_names_a_counter_as_well_as_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CARDSIM_DIR", str(tmp_path))
    monkeypatch.setenv("CARDD_SOCKET", str(tmp_path / "none"))
    assert main(["run", str(written(tmp_path, GOOD)), "--on", "running"]) == os.EX_UNAVAILABLE
    assert "there is no socket" in capsys.readouterr().out


def test_the_schema_is_current_and_takes_what_is_read(tmp_path: Path) -> None:
    from tools import scenario_schema  # noqa: PLC0415 # a tool, not a package

    text = scenario_schema.FILE.read_text(encoding="utf-8")
    assert text == scenario_schema.schema(), "run tools/scenario_schema.py"
    judge = jsonschema.Draft202012Validator(json.loads(text))
    for timeline, right in ((GOOD, True), (BAD, True), (BROKEN, False), ("- pass: 1\n  wait: x", False)):
        path = written(tmp_path, timeline)
        assert judge.is_valid(yaml.safe_load(path.read_text(encoding="utf-8"))) is right, timeline
