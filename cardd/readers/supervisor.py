"""Deadlines of jobs, and readers whose calls do not return. Event loop's thread only."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from cardd.base.clock import Clock, TimerHandle
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.readers.job import AnyJob, Done, Failed
from cardd.readers.worker import Worker

GRACE_S: Final = 1.0
"""A worker that has not finished so long after its job's deadline hangs in a call."""


Answer = Callable[[Done[Any] | Failed], None]
"""Tells a caller what became of its job. Called once more if the worker comes back after the caller was told."""


@dataclass(slots=True)
class _Watched:
    worker: Worker
    answer: Answer
    timer: TimerHandle


class Supervisor:
    """Sees to it that every job has an end for its caller, whatever its worker does.

    `hung` is called with a worker whose call does not return a second after the deadline.
    """

    def __init__(self, clock: Clock, hung: Callable[[Worker], None]) -> None:
        self._clock = clock
        self._hung = hung
        self._watched: dict[AnyJob, _Watched] = {}

    def watch(self, job: AnyJob, worker: Worker, answer: Answer) -> None:
        """Watch a job until its worker has nothing more to do with it, and answer its caller by its deadline."""
        seconds = max(0.0, job.deadline - self._clock.monotonic())
        timer = self._clock.call_later(seconds, lambda: self._deadline(job))
        self._watched[job] = _Watched(worker, answer, timer)

    def finished(self, job: AnyJob) -> None:
        """Take note that a job has its end, and answer its caller."""
        watched = self._watched.pop(job, None)
        if watched is not None:
            watched.timer.cancel()
            watched.answer(job.outcome or Failed(job.overdue()))

    def end_insertion(self, insertion: str) -> None:
        """End the jobs of an insertion that is over: at once where queued, at the next exchange where running."""
        for job in [job for job in self._watched if job.insertion.id == insertion]:
            over = CarddError(Reason.STALE_INSERTION, "the card left before its turn came", insertion=insertion)
            if job.drop(over):
                self.finished(job)
            else:
                job.stop(CarddError(Reason.CARD_REMOVED, "the card left in the middle of the work"))

    def give_up(self, worker: Worker, error: CarddError) -> None:
        """End the jobs that wait for a worker."""
        for job in [job for job, watched in self._watched.items() if watched.worker is worker]:
            if job.drop(error):
                self.finished(job)

    def cancel(self, job: AnyJob) -> None:
        """Drop a job that nobody waits for any more. One that has begun goes on to its end."""
        if job.drop(CarddError(Reason.TIMEOUT, "nobody waits for it any more")):
            self.finished(job)

    def close(self) -> None:
        """End every job, running ones too: their callers are answered now, their next exchange fails."""
        error = CarddError(Reason.READER_UNAVAILABLE, "the daemon is stopping")
        watched, self._watched = self._watched, {}
        for job, entry in watched.items():
            entry.timer.cancel()
            if not job.drop(error):
                job.stop(error)
            entry.answer(job.outcome or Failed(error))

    def _deadline(self, job: AnyJob) -> None:
        error = job.overdue()
        if job.drop(error):
            self.finished(job)
            return
        job.stop(error)
        watched = self._watched[job]
        watched.timer = self._clock.call_later(GRACE_S, lambda: self._overdue(job))
        watched.answer(job.outcome or Failed(error))

    def _overdue(self, job: AnyJob) -> None:
        if not job.finished:
            self._hung(self._watched[job].worker)
