"""A piece of work for one insertion's card, and what became of it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from enum import Enum, auto
from typing import Any, Final, Generic, NoReturn, TypeVar

from cardd.base.clock import Clock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Struct
from cardd.readers.facts import Cause
from cardd.readers.insertion import Insertion

T = TypeVar("T")


class Done(Struct, Generic[T], frozen=True):
    """The work was done."""

    value: T

    def unwrap(self) -> T:
        """Return the result."""
        return self.value


class Failed(Struct, frozen=True):
    """The work was not done, or nobody knows how much of it."""

    error: BaseException

    def unwrap(self) -> NoReturn:
        """Raise the error."""
        raise self.error


class Loss(Struct, frozen=True):
    """A card that was lost on the way. `answered`: the answer to reset that was not the insertion's."""

    cause: Cause
    answered: bytes = b""


class _Stage(Enum):
    QUEUED = auto()
    RUNNING = auto()
    FINISHED = auto()


class Job(Generic[T]):
    """One piece of work, bound to one insertion, with one deadline for all of it.

    A worker claims it, checks it around every exchange with the card, concludes it and, after the card was let go,
    finishes it. Anybody else may `drop` it while it is queued, or `stop` it while it runs: no further exchange happens
    then, and the answer to one under way is not believed.
    """

    def __init__(self, insertion: Insertion, deadline: float, clock: Clock) -> None:
        self.insertion: Final = insertion
        self.deadline: Final = deadline
        self.loss: Loss | None = None
        self.silent: Reason | None = None
        self.waiting_for: CarddError | None = None
        self.entering = False
        self._clock = clock
        # one for every change: a job is made for each command under a lease
        self._changed = threading.Condition(threading.Lock())
        self._stage = _Stage.QUEUED
        self._outcome: Done[T] | Failed | None = None
        self._stop: CarddError | None = None

    # -- whoever waits for it, on any thread --

    @property
    def outcome(self) -> Done[T] | Failed | None:
        """Return what became of it, None as long as that is not known."""
        return self._outcome

    @property
    def finished(self) -> bool:
        """Tell whether the worker has nothing more to do with it."""
        return self._stage is _Stage.FINISHED

    def drop(self, error: CarddError) -> bool:
        """End it with this error if no worker has claimed it. Returns whether that was so."""
        with self._changed:
            if self._stage is not _Stage.QUEUED:
                return False
            self._stage = _Stage.FINISHED
            self._outcome = Failed(error)
            self._changed.notify_all()
        return True

    def stop(self, error: CarddError) -> None:
        """Let no further exchange happen. The first error given is the one that the work is told."""
        with self._changed:
            self._stop = self._stop or error
            self._changed.notify_all()

    def overdue(self) -> CarddError:
        """Return the error for a deadline that passed: what it was waiting for, if anything, else TIMEOUT."""
        return self.waiting_for or CarddError(Reason.TIMEOUT, "the card work was not done in time")

    def wait(self) -> bool:
        """Block until it is finished or its deadline has passed; return whether it is finished."""
        seconds = max(0.0, self.deadline - self._clock.monotonic())
        with self._changed:
            return self._changed.wait_for(lambda: self.finished, seconds)

    # -- the worker's thread --

    def claim(self) -> bool:
        """Begin it. Returns False if it was dropped meanwhile."""
        with self._changed:
            if self._stage is not _Stage.QUEUED:
                return False
            self._stage = _Stage.RUNNING
        return True

    def check(self) -> None:
        """Raise why there must be no further exchange, if so."""
        if self._stop is not None:
            raise self._stop
        if self._clock.monotonic() >= self.deadline:
            raise self.overdue()

    @contextmanager
    def entrance(self) -> Iterator[None]:
        """Note that a call is under way that waits as long as another program has a transaction on the card."""
        self.entering = True
        try:
            yield
        finally:
            self.entering = False

    def pause(self, seconds: float) -> None:
        """Wait a little, not beyond the deadline, and wake up when it is stopped."""
        left = max(0.0, min(seconds, self.deadline - self._clock.monotonic()))
        with self._changed:
            self._changed.wait_for(lambda: self._stop is not None or self.finished, left)

    def conclude(self, work: Callable[[], T]) -> None:
        """Do the work and keep what became of it. Never raises: the outcome holds what was raised."""
        try:
            outcome: Done[T] | Failed = Done(work())
        except BaseException as error:  # noqa: BLE001 - a worker's thread outlives whatever the work raises
            outcome = Failed(error)
        self._outcome = outcome

    def fail(self, error: BaseException) -> None:
        """Keep an error as what became of it, unless more is known."""
        self._outcome = self._outcome or Failed(error)

    def finish(self) -> None:
        """Note that the card was let go."""
        with self._changed:
            self._stage = _Stage.FINISHED
            self._changed.notify_all()


Explain = Callable[[BaseException], BaseException]
"""Returns what says more than an error, if anything is known, else the error."""


class Begun(Generic[T]):
    """Work that was begun on another worker, for whoever waits for it on a thread of their own.

    `waiting` notes who waits as long as it lasts, and lends what explains why somebody waited in vain.
    """

    def __init__(self, job: Job[T], waiting: Callable[[], AbstractContextManager[Explain]]) -> None:
        self._job = job
        self.waiting: Final = waiting

    @property
    def ended(self) -> bool:
        """Tell whether it has come to an end, whichever."""
        return self._job.outcome is not None or self._job.finished

    def result(self) -> T:
        """Block until it is done or its deadline has passed. Raises what it raised, or why it was not done."""
        job = self._job
        with self.waiting() as explain:
            if not job.wait() and job.outcome is None:
                error = job.overdue()
                job.drop(error)
                job.stop(error)
                raise explain(error)
            outcome = job.outcome or Failed(job.overdue())
            if isinstance(outcome, Failed):
                raise explain(outcome.error)
            return outcome.value


AnyJob = Job[Any]
"""A job whose result is its caller's affair."""
