"""The one thread that touches the database, and its group commit.

All calls of `record` that wait are committed in one transaction, so that fifty producers pay for one flush of the disk
together. What comes in one turn of the event loop is handed over together at its end: the thread would otherwise begin
with the first of fifty alone, and the two would contend for the interpreter. Results go back to the event loop in the
order of commits.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Struct
from cardd.journal.admission import Admission
from cardd.journal.connection import failure, is_full
from cardd.journal.database import Database
from cardd.journal.encoding import PreparedCall
from cardd.journal.events import StoredEvent
from cardd.journal.reserve import Reserve, Space

T = TypeVar("T")

_GROUP: Final = 512
"""So many jobs wait for no more: bounds how long the first of them waits for the others."""


class Record(Struct, frozen=True):
    """One call of `record`, and the future of who waits for it."""

    call: PreparedCall
    future: asyncio.Future[tuple[StoredEvent, ...]]


class Committed(Struct, frozen=True):
    """What one transaction brought: the events of each of its calls, and where the journal stands after it."""

    records: Sequence[Record]
    events: Sequence[tuple[StoredEvent, ...]]
    digest: bytes
    """That of the newest event."""
    evicted: int

    def settle(self) -> None:
        """Tell those who wait, but for those who gave up meanwhile."""
        for record, events in zip(self.records, self.events, strict=True):
            if not record.future.done():
                record.future.set_result(events)


class Refused(Struct, frozen=True):
    """Calls of which nothing was written."""

    records: Sequence[Record]
    error: CarddError

    def settle(self) -> None:
        """Tell those who wait, but for those who gave up meanwhile."""
        for record in self.records:
            if not record.future.done():
                record.future.set_exception(self.error)


Outcome = Committed | Refused


class _Answer(Struct, Generic[T], frozen=True):
    """What became of a question: a value, or an error."""

    future: asyncio.Future[T]
    value: T | None
    error: CarddError | None

    def settle(self) -> None:
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.value)  # type: ignore[arg-type] # no error, so the value is a T


class _Ask(Struct, Generic[T], frozen=True):
    question: Callable[[Database], T]
    future: asyncio.Future[T]

    def answer(self, database: Database) -> _Answer[T]:
        try:
            return _Answer(self.future, self.question(database), None)
        except Exception as error:  # noqa: BLE001 - one bad question must not end the thread
            return _Answer(self.future, None, _told(error))


class _Stop(Struct, frozen=True):
    """Nothing comes after this."""


_Job = Record | _Ask[object] | _Stop


class Writer:
    """Owns the database from its construction on. Every method is called on the loop's thread and never blocks."""

    def __init__(
        self,
        database: Database,
        reserve: Reserve | None,
        deliver: Callable[[Sequence[Outcome], float], None],
        monotonic: Callable[[], float],
    ) -> None:
        """`deliver` is called on the loop's thread with what one commit brought and its seconds, in their order."""
        self._database = database
        self._admission = Admission(database, reserve)
        self._deliver = deliver
        self._monotonic = monotonic
        self._turn: list[_Job] = []
        self._jobs: queue.SimpleQueue[list[_Job]] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: Callable[[], None] = lambda: None
        # a daemon thread: a disk that hangs must not keep the process from leaving
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def space(self) -> Space:
        """How much room there is, as far as is known. Any thread."""
        return self._admission.space

    def make_room(self, future: asyncio.Future[None]) -> None:
        """Queue an attempt to set space aside again, where it was given up."""
        self.ask(lambda _: self._admission.recover(), future)

    def record(self, call: PreparedCall, future: asyncio.Future[tuple[StoredEvent, ...]]) -> None:
        """Queue one call; `deliver` gets its outcome."""
        self._queue(Record(call, future), future.get_loop())

    def ask(self, question: Callable[[Database], T], future: asyncio.Future[T]) -> None:
        """Queue a question; it sees everything that was queued before it, and its future is settled after theirs."""
        # the outcome goes to its own future only
        self._queue(_Ask(question, future), future.get_loop())  # type: ignore[arg-type]

    def stop(self, loop: asyncio.AbstractEventLoop, ended: Callable[[], None]) -> None:
        """Do what is queued, close the database, then call `ended` on the loop's thread."""
        self._ended = ended
        self._queue(_Stop(), loop)

    def _queue(self, job: _Job, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        if not self._turn:
            loop.call_soon(self._hand_over)
        self._turn.append(job)
        if len(self._turn) == _GROUP:
            self._hand_over()

    def _hand_over(self) -> None:
        jobs, self._turn = self._turn, []
        self._jobs.put(jobs)

    def _run(self) -> None:
        try:
            while self._serve(self._take()):
                pass
        finally:
            with contextlib.suppress(sqlite3.Error):
                self._database.close()
            self._post(self._ended)

    def _take(self) -> list[_Job]:
        jobs = self._jobs.get()
        # nobody else takes any, so that what is there stays there
        while len(jobs) < _GROUP and not self._jobs.empty():
            jobs += self._jobs.get()
        return jobs

    def _serve(self, jobs: Sequence[_Job]) -> bool:
        """Commit, then answer: a question may see more than it waited for, never less."""
        records = [job for job in jobs if isinstance(job, Record)]
        if records:
            began = self._monotonic()
            outcomes = self._commit(records)
            seconds = self._monotonic() - began
            self._post(lambda: self._deliver(outcomes, seconds))
        if len(records) == len(jobs):
            return True
        for job in jobs:
            if isinstance(job, _Ask):
                self._post(job.answer(self._database).settle)
        return not any(isinstance(job, _Stop) for job in jobs)

    def _commit(self, records: Sequence[Record]) -> list[Outcome]:
        """Commit what is taken at the space there is; refuse the rest."""
        if self._admission.space is Space.AMPLE:
            return self._append(records)
        self._admission.look_again()
        taken: list[Record] = []
        refused: list[Record] = []
        for record in records:
            (taken if self._admission.takes(record.call) else refused).append(record)
        full = CarddError(Reason.JOURNAL_FULL, "space is left for what is open only")
        return [*self._append(taken), *([Refused(refused, full)] if refused else [])]

    def _append(self, records: Sequence[Record]) -> list[Outcome]:
        if not records:
            return []
        try:
            events = self._database.append([record.call for record in records])
        except Exception as error:  # noqa: BLE001 - whatever it was, the thread lives and the callers are told
            if isinstance(error, sqlite3.Error) and is_full(error) and self._admission.give_way():
                return self._commit(records)
            if len(records) > 1:
                # one of them may be to blame, or too large for the space that is left: each for itself then
                return [outcome for record in records for outcome in self._commit([record])]
            return [Refused(records, _told(error))]
        return [Committed(records, events, self._database.digest, self._database.evicted)]

    def _post(self, callback: Callable[[], None]) -> None:
        # a loop that was closed has nobody left to be told
        with contextlib.suppress(RuntimeError):
            if self._loop is not None:
                self._loop.call_soon_threadsafe(callback)


def _told(error: Exception) -> CarddError:
    match error:
        case CarddError():
            return error
        case sqlite3.Error():
            return failure(error)
        case _:
            return CarddError(Reason.JOURNAL_UNAVAILABLE, f"the journal failed ({type(error).__name__})")
