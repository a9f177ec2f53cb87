"""The same scenarios on a private pcscd, and at a counter that somebody else keeps."""

import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.scenarios import ran, written

from cardsim.rig import Rig, program
from cardsim.scenario.outcome import Came
from cardsim.scenario.runner import Job, run

HANDOFF = """
- insert: old-bing
- wait: activation.step
  where: {state: waiting_social_card}
  answering: right
- remove:
- insert: social-bing-2.0
  faults: [{do: slow, ms: 1}]
- wait: activation.completed
  where: {outcome: activated}
- expect: {card: social-bing-2.0, where: {pin_tries: 6}}
- expect: {register: 51010119000303003X, where: {cards.0.status: normal}}
- swap: old-jia
  gap_ms: 600
- wait: card.identified
  where: {kind: medical_insurance}
- remove:
"""

POWER = """
- activate: {route: pharmacy}
  as: it
- stop: daemon
- continue: daemon
- kill: daemon
- start: daemon
- together:
    - - restart: daemon
    - - pass: 0.1
- expect: {activation: it, state: waiting_old_card}
- kill: pcscd
- wait: pcsc.down
- start: pcscd
- wait: pcsc.up
- insert: old-jia
- wait: activation.step
  where: {state: waiting_social_card}
- remove:
- stop: centre
- continue: centre
- centre: ["cut_after@activate:1"]
- insert: social-jia-3.0
- wait: activation.completed
  within_s: 30
- kill: centre
- start: centre
- expect: {register: 510101190001010012, where: {cards.0.status: normal}}
"""


def test_a_handoff_on_pcscd_is_that_of_this_process(tmp_path: Path) -> None:
    on_pcscd, here = (ran(tmp_path, HANDOFF, ground=ground) for ground in ("pcscd", "in-process"))
    assert (on_pcscd.failures, here.failures) == ([], [])
    assert on_pcscd.steps == here.steps


def test_every_machine_of_a_counter_can_be_killed_stopped_and_started(tmp_path: Path) -> None:
    assert ran(tmp_path, POWER, "centre: true", ground="pcscd").failures == []


def test_a_machine_without_pcscd_is_a_broken_machine_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = threading.active_count()
    result = ran(tmp_path, "- pass: 1", ground="pcscd")
    assert result.came is Came.MACHINE
    assert not list(tmp_path.glob("cardsim-run-*"))
    assert threading.active_count() <= before


def test_an_interrupt_on_pcscd_leaves_no_process_and_no_directory(tmp_path: Path) -> None:
    path, report = written(tmp_path, "- insert: old-jia\n- pass: 3600"), tmp_path / "r.json"
    words = [program("cardsim"), "run", str(path), "--on", "pcscd", "--report", str(report)]
    with (
        # a socket's path is short
        tempfile.TemporaryDirectory(prefix="left-") as left,
        subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": left}) as process,
    ):
        end = time.monotonic() + 30
        while len(_below(process.pid)) < 2 and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(2)
        below = _below(process.pid)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=30)
        assert not list(Path(left).iterdir())
    assert process.returncode == 130
    assert "interrupted" in said
    assert json.loads(report.read_bytes())["came"] == "interrupted"
    assert below
    assert not [one for one in below if Path(f"/proc/{one}").exists()]


def _below(parent: int) -> set[int]:
    """Return the processes that a process has begun, and they."""
    children = Path(f"/proc/{parent}/task").glob("*/children")
    found = {int(one) for path in children for one in path.read_text(encoding="ascii").split()}
    return found.union(*map(_below, found)) if found else found


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Rig]:
    with Rig.start(tmp_path / "rig") as rig:
        yield rig


def test_a_scenario_is_run_where_a_daemon_runs_already_and_leaves_it_running(tmp_path: Path, counter: Rig) -> None:
    job = Job(
        written(tmp_path, HANDOFF),
        "running",
        socket=counter.socket,
        lab=counter.lab.directory,
        config=counter.config,
    )
    assert run(job).failures == []
    assert counter.daemon is not None
    assert counter.daemon.poll() is None
    os.kill(counter.daemon.pid, 0)


def test_a_card_that_a_failed_run_left_at_a_running_daemon_is_taken_out_for_the_next(
    tmp_path: Path, counter: Rig
) -> None:
    job = Job(
        written(tmp_path, "- insert: old-jia\n- wait: card.removed\n  within_s: 0"),
        "running",
        socket=counter.socket,
        lab=counter.lab.directory,
    )
    assert [run(job).came for _ in range(2)] == [Came.FAILED, Came.FAILED]


def test_a_laboratory_that_is_not_there_is_found_missing_before_the_first_step(tmp_path: Path, counter: Rig) -> None:
    path = written(tmp_path, "- pass: 1\n- insert: old-jia")
    result = run(Job(path, "running", socket=counter.socket, lab=tmp_path))
    assert (result.came, result.steps) == (Came.MACHINE, 0)
    assert f"no laboratory answers in {tmp_path}" in result.failures[0].came


def test_a_reader_that_a_running_daemon_has_not_is_told_with_those_it_has(tmp_path: Path, counter: Rig) -> None:
    path = written(tmp_path, "- pass: 1", "stations: 3")
    result = run(Job(path, "running", socket=counter.socket, lab=counter.lab.directory))
    assert result.came is Came.BROKEN
    assert result.failures[0].place == f"{path}:2:11"
    assert "no reader `reader-1`: it has reader-0, sam-0" in result.failures[0].came
