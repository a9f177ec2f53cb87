"""Runs one scenario once, from its file to its result."""

import shlex
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from cardd.base.document import DocumentError
from cardd.base.errors import CarddError
from cardd.base.structs import Struct
from cardd.client.errors import CallError, ProtocolError, UnreachableError
from cardd.wire.incident import Incident
from cardsim.scenario.cast import Cast
from cardsim.scenario.chance import Chance
from cardsim.scenario.course import follow_course
from cardsim.scenario.engine import play
from cardsim.scenario.grounds.ground import Ground, Stage
from cardsim.scenario.incidents.reading import hold_against, opened
from cardsim.scenario.model import Place
from cardsim.scenario.outcome import Came, Failure, Result, said_by
from cardsim.scenario.plan import Read
from cardsim.scenario.reading import fit_for
from cardsim.scenario.refusals import refuse_strangers, refuse_the_register
from cardsim.scenario.story import Story

_GIVEN_UP_S: Final = 5.0


class Job(Struct, frozen=True):
    """What is to be run: a file, where, by which seed (None: the scenario's own), and whether in its short form.

    `turn` is which repetition it is, from 0: the seed grows by it. `socket`, `lab` and `config` say where a daemon
    already runs: its socket, the laboratory's directory, and its configuration, by which the register is asked for.
    """

    path: Path
    ground: str = "in-process"
    seed: int | None = None
    turn: int = 0
    short: bool = False
    socket: Path | None = None
    lab: Path | None = None
    config: Path | None = None

    def again(self, seed: int | None) -> str:
        """Return the line that runs it again just so; without a seed, by the scenario's own."""
        words = ["cardsim", "run", str(self.path), "--on", self.ground]
        words += ["--seed", str(seed)] if seed is not None else []
        words += ["--short"] * self.short
        for option, value in (("--socket", self.socket), ("--dir", self.lab), ("--config", self.config)):
            words += [option, str(value)] if value is not None else []
        return shlex.join(words)


def nothing_of(job: Job) -> Result:
    """Return what is known of a run before its scenario is read: by which seed only if one is named."""
    seed = None if job.seed is None else job.seed + job.turn
    return Result(path=str(job.path), name=job.path.stem, ground=job.ground, seed=seed, again=job.again(seed))


def run(job: Job) -> Result:
    """Run it and return how it came out; an interrupt (Ctrl-C) ends it with what there is so far."""
    began = time.monotonic()
    result = nothing_of(job)
    try:
        with opened(job.path) as (read, incident):
            result.name = read.scenario.scenario
            fit_for(read, job.ground)
            follow_course(read, job.ground)
            seed = (read.scenario.seed if job.seed is None else job.seed) + job.turn
            result.seed, result.again = seed, job.again(seed)
            _run(job, seed, read, result, incident)
    except KeyboardInterrupt:
        result.came = Came.INTERRUPTED
    except (DocumentError, CarddError, OSError, UnreachableError, CallError, ProtocolError) as error:
        # where a step does not come to it, the machine is short of something
        result.came = Came.BROKEN if isinstance(error, DocumentError) else Came.MACHINE
        place = f"{error.path}:{error.line}:{error.column}" if isinstance(error, DocumentError) else str(job.path)
        problem = error.problem if isinstance(error, DocumentError) else said_by(error)
        result.failures.append(Failure(place, "", problem))
    except Exception as error:  # noqa: BLE001 # whatever it is, no run that it broke has passed
        result.came = Came.MACHINE
        result.failures.append(Failure(str(job.path), "", f"{type(error).__name__}: {error}"))
    result.took_s = time.monotonic() - began
    return result


def _run(job: Job, seed: int, read: Read, result: Result, incident: Incident | None) -> None:
    chance = Chance(seed)
    cast = Cast(read, chance, short=job.short)
    if job.ground != "running":
        # a daemon that runs already has a register of its own
        refuse_strangers(read, cast.register)
    elif job.config is None:
        refuse_the_register(read)
    ground = _GROUNDS[job.ground](cast.stage(), job)
    story = Story(read, ground, cast, chance, short=job.short)
    try:
        _play(story, ground)
        if incident is not None and story.came in {Came.PASSED, Came.FAILED}:
            _compare(job, incident, story)
    finally:
        result.came, result.failures = story.came, story.failures
        result.steps, result.events = story.steps, len(story.feed.told)
        result.passed_s = ground.time.elapsed()
        ground.close()


def _compare(job: Job, incident: Incident, story: Story) -> None:
    """Hold what was run against the incident that it was made of."""
    with story.ground.client() as client:
        wrong = hold_against(job.path, incident, client, story.failures)
    story.failures[:] = wrong
    story.came = Came.FAILED if wrong else Came.PASSED


def _play(story: Story, ground: Ground) -> None:
    """Have a thread run the timeline, so that this one hears of an interrupt."""
    wrong: list[Exception] = []

    def work() -> None:
        try:
            play(story)
        except Exception as error:  # noqa: BLE001 # told by the thread that waits for this one
            wrong.append(error)

    thread = threading.Thread(target=work, name="timeline", daemon=True)
    thread.start()
    try:
        thread.join()
    except KeyboardInterrupt:
        story.end(Came.INTERRUPTED, Place(), "", "")
        ground.time.give_up()
        thread.join(_GIVEN_UP_S)
    if wrong:
        raise wrong[0]


def _in_process(stage: Stage, _job: Job) -> Ground:
    from cardsim.scenario.grounds.inprocess import InProcessGround  # noqa: PLC0415 # brings the daemon

    return InProcessGround.start(stage)


def _pcscd(stage: Stage, _job: Job) -> Ground:
    from cardsim.scenario.grounds.pcscd import PcscdGround  # noqa: PLC0415 # as above

    return PcscdGround.start(stage)


def _running(stage: Stage, job: Job) -> Ground:
    from cardsim.scenario.grounds.running import RunningGround  # noqa: PLC0415 # as above

    return RunningGround.start(stage, socket=job.socket, lab=job.lab, config=job.config)


_GROUNDS: Final[Mapping[str, Callable[[Stage, Job], Ground]]] = MappingProxyType(
    {"in-process": _in_process, "pcscd": _pcscd, "running": _running}
)
