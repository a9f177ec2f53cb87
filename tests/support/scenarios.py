"""Scenarios for tests: written to a file, read, run in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from cardsim.scenario import runner
from cardsim.scenario.cast import Cast
from cardsim.scenario.chance import Chance
from cardsim.scenario.engine import play
from cardsim.scenario.grounds.inprocess import InProcessGround
from cardsim.scenario.outcome import Result
from cardsim.scenario.reading import read_scenario
from cardsim.scenario.runner import Job, run
from cardsim.scenario.story import Story


def written(folder: Path, timeline: str, head: str = "", name: str = "a.yaml") -> Path:
    """Write a scenario of these steps and return its path."""
    path = folder / name
    steps = "\n".join(f"  {line}" for line in dedent(timeline).strip().splitlines())
    path.write_text(f"scenario: a test\n{dedent(head).strip()}\ntimeline:\n{steps}\n", encoding="utf-8")
    return path


def ran(folder: Path, timeline: str, head: str = "", **job: Any) -> Result:
    """Run a scenario of these steps in this process."""
    return run(Job(written(folder, timeline, head), **job))


@contextmanager
def told(folder: Path, timeline: str, head: str = "", *, seed: int = 1, short: bool = False) -> Iterator[Story]:
    """Play a scenario, and give what came of it while the counter is still there."""
    read = read_scenario(written(folder, timeline, head))
    chance = Chance(seed)
    cast = Cast(read, chance, short=short)
    ground = InProcessGround.start(cast.stage())
    try:
        story = Story(read, ground, cast, chance, short=short)
        play(story)
        yield story
    finally:
        ground.close()


BEGUN = "AssertionError: a ground was begun"
"""What `refused` tells of a scenario in which nothing was found wrong."""


def refused(
    monkeypatch: pytest.MonkeyPatch, path: Path, *, ground: str = "in-process", config: Path | None = None
) -> Result:
    """Run a scenario where nothing may be begun, and return how that came out."""

    def begin(*_: object) -> None:
        raise AssertionError("a ground was begun")

    monkeypatch.setattr(runner, "_GROUNDS", {"in-process": begin, "pcscd": begin, "running": begin})
    return run(Job(path, ground=ground, config=config))
