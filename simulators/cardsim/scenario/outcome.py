"""How a run came out, as plain data: for reports, and from one process to another."""

from enum import StrEnum
from typing import Final

import msgspec

from cardd.base.document import DocumentError
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason


class Came(StrEnum):
    """How a run came out, the worst last."""

    PASSED = "passed"
    FAILED = "failed"
    MACHINE = "machine"
    BROKEN = "broken"
    INTERRUPTED = "interrupted"


EXIT: Final = {Came.PASSED: 0, Came.FAILED: 1, Came.BROKEN: 65, Came.MACHINE: 69, Came.INTERRUPTED: 130}


class Failure(msgspec.Struct, frozen=True):
    """What was not as it should be: at which step, what was expected, what came (masked)."""

    place: str
    expected: str
    came: str


class Result(msgspec.Struct, kw_only=True):
    """One scenario, run once; `seed` is None where nobody named one and the scenario could not be read.

    `passed_s` are the seconds of the counter, which may be virtual; `took_s` ours.
    """

    path: str
    name: str
    ground: str
    seed: int | None
    again: str
    came: Came = Came.PASSED
    steps: int = 0
    events: int = 0
    passed_s: float = 0.0
    took_s: float = 0.0
    failures: list[Failure] = msgspec.field(default_factory=list)


class StepFailedError(Exception):
    """An expectation that was not met, or a request that was refused."""

    def __init__(self, expected: str, came: str) -> None:
        super().__init__(expected)
        self.expected = expected
        self.came = came


class OverError(Exception):
    """The run is over before this timeline is: it failed elsewhere, or was given up."""


_SCENARIOS_FAULT: Final = frozenset({Reason.BUSY, Reason.NOT_FOUND, Reason.INVALID})


def said_by(error: Exception) -> str:
    """Return what an error says to whoever reads a report: its reason is a word for programs."""
    if isinstance(error, CarddError):
        return error.detail or error.text["en"]
    return str(error) or type(error).__name__


def came_of(error: Exception) -> Came:
    """Tell a broken scenario from a broken machine."""
    if isinstance(error, DocumentError):
        return Came.BROKEN
    if isinstance(error, CarddError) and error.reason in _SCENARIOS_FAULT:
        return Came.BROKEN
    return Came.MACHINE
