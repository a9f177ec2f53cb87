"""Deadlines of jobs, and readers whose calls do not return."""

import threading
from collections.abc import Callable
from typing import Any, Final

import msgspec

from cardd.base.clock import Clock, TimerHandle
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.readers.job import AnyJob, Done, Failed
from cardd.readers.worker import Worker

GRACE_S: Final = 1.0
"""A worker that has not finished so long after its job's deadline hangs in a call."""


Answer = Callable[[Done[Any] | Failed], None]
"""Tells a caller what became of its job. Called once more if the worker comes back after the caller was told."""


class _Watched(msgspec.Struct):
    worker: Worker
    answer: Answer
    timer: TimerHandle


class Supervisor:
    """Sees to it that every job has an end for its caller, whatever its worker does.

    `hung` is called with a worker whose call does not return a second after the deadline. Event loop's thread only,
    except where it says otherwise.
    """

    def __init__(self, clock: Clock, hung: Callable[[Worker], None]) -> None:
        self._clock = clock
        self._hung = hung
        self._watched: dict[AnyJob, _Watched] = {}
        self._lock = threading.Lock()
        self._attended: dict[AnyJob, Worker] = {}

    # -- any thread --

    def attend(self, job: AnyJob, worker: Worker) -> None:
        """Take note of a job for which a thread waits until its deadline by itself: it needs no timer here.

        A thread that waited in vain has the job watched, because its worker may hang.
        """
        with self._lock:
            self._attended[job] = worker

    def leave(self, job: AnyJob) -> None:
        """Take note that nobody waits for a job any more."""
        with self._lock:
            self._attended.pop(job, None)

    def attends(self, job: AnyJob) -> bool:
        """Tell whether a thread waits for a job by itself."""
        return job in self._attended

    # -- event loop's thread --

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

    def watch_longer(self, job: AnyJob) -> None:
        """Look once more, a second from now, whether the worker of an overdue job hangs."""
        watched = self._watched.get(job)
        if watched is not None:
            watched.timer = self._clock.call_later(GRACE_S, lambda: self._overdue(job))

    def end_insertion(self, insertion: str) -> None:
        """End the jobs of an insertion that is over: at once where queued, at the next exchange where running."""
        for job in [job for job in self._all() if job.insertion.id == insertion]:
            if job.drop(left_too_early(job)):
                self.finished(job)
            else:
                job.stop(CarddError(Reason.CARD_REMOVED, "the card left in the middle of the work"))

    def give_up(self, worker: Worker, error: CarddError) -> None:
        """End the jobs that wait for a worker."""
        for job in [job for job, its in self._all().items() if its is worker]:
            if job.drop(error):
                self.finished(job)

    def cancel(self, job: AnyJob) -> None:
        """Drop a job that nobody waits for any more. One that has begun goes on to its end."""
        if job.drop(CarddError(Reason.TIMEOUT, "nobody waits for it any more")):
            self.finished(job)

    def close(self) -> None:
        """End every job, running ones too: their callers are answered now, their next exchange fails."""
        error = CarddError(Reason.READER_UNAVAILABLE, "the daemon is stopping")
        for job in self._all():
            if not job.drop(error):
                job.stop(error)
        watched, self._watched = self._watched, {}
        for job, entry in watched.items():
            entry.timer.cancel()
            entry.answer(job.outcome or Failed(error))

    def _all(self) -> dict[AnyJob, Worker]:
        with self._lock:
            return self._attended | {job: entry.worker for job, entry in self._watched.items()}

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


def left_too_early(job: AnyJob) -> CarddError:
    """Return the error of a job whose insertion ended before its turn came."""
    return CarddError(Reason.STALE_INSERTION, "the card left before its turn came", insertion=job.insertion.id)
