"""Runs many scenarios, one after the other or several at once, each of them then in a process of its own."""

import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from cardd.base.structs import Struct
from cardsim.rig import die_with_parent, program
from cardsim.scenario.outcome import EXIT, Came, Failure, Result
from cardsim.scenario.runner import Job, nothing_of, run

_LOOK_S: Final = 0.02
_END_S: Final = 20.0


class _Report(msgspec.Struct):
    results: list[Result]


class _Mate(Struct, frozen=True):
    job: Job
    process: subprocess.Popen[bytes]
    report: Path


def one_by_one(jobs: Sequence[Job]) -> Iterator[Result]:
    """Run jobs here, and yield how each came out; an interrupt ends the one that runs and all that follow."""
    for job in jobs:
        result = run(job)
        yield result
        if result.came is Came.INTERRUPTED:
            return


def side_by_side(jobs: Sequence[Job], at_once: int) -> Iterator[Result]:
    """Run jobs so many at once, and yield how each came out when it has; an interrupt ends all that run."""
    waiting, running = list(jobs), list[_Mate]()
    with tempfile.TemporaryDirectory(prefix="cardsim-run-") as directory:
        try:
            while waiting or running:
                while waiting and len(running) < at_once:
                    running.append(_begin(waiting.pop(0), Path(directory)))
                yield from _ended(running, Came.MACHINE)
                time.sleep(_LOOK_S)
        except KeyboardInterrupt:
            yield from _give_up(running)
        finally:
            for mate in running:
                mate.process.kill()
                mate.process.wait()


def _begin(job: Job, directory: Path) -> _Mate:
    report = directory / f"{time.monotonic_ns()}.json"
    seed = [] if job.seed is None else ["--seed", str(job.seed)]
    words = [program("cardsim"), "run", str(job.path), "--on", job.ground, *seed, "--turn", str(job.turn)]
    words += ["--short"] * job.short + ["--report", str(report)]
    for option, value in (("--socket", job.socket), ("--dir", job.lab), ("--config", job.config)):
        words += [option, str(value)] if value is not None else []
    process = subprocess.Popen(  # noqa: S603 - ourselves
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        # a terminal's interrupt comes to all of its group: these hear of it from here, once
        start_new_session=True,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - begun by the thread that waits for them
    )
    return _Mate(job, process, report)


def _ended(running: list[_Mate], silent: Came) -> Iterator[Result]:
    for mate in [one for one in running if one.process.poll() is not None]:
        running.remove(mate)
        yield _result(mate, silent)


def _give_up(running: list[_Mate]) -> Iterator[Result]:
    for mate in running:
        mate.process.send_signal(signal.SIGINT)
    end = time.monotonic() + _END_S
    while running and time.monotonic() < end:
        # one that was only just beginning reports nothing
        yield from _ended(running, Came.INTERRUPTED)
        time.sleep(_LOOK_S)


def _result(mate: _Mate, silent: Came) -> Result:
    """Return what a process has reported; where it has not, `silent` is how that came out."""
    with mate.process as process:
        said = b"" if process.stderr is None else process.stderr.read()
    try:
        return msgspec.json.decode(mate.report.read_bytes(), type=_Report).results[0]
    except (OSError, msgspec.DecodeError, IndexError):
        code = mate.process.returncode
        came = Came.INTERRUPTED if code == EXIT[Came.INTERRUPTED] else silent
        problem = f"its process ended with {code}: {said.decode(errors='replace').strip()[-500:]}"
        result = nothing_of(mate.job)
        result.came = came
        result.failures = [] if came is Came.INTERRUPTED else [Failure(str(mate.job.path), "", problem)]
        return result
