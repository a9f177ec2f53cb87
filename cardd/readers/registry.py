"""Every reader there is, the card in it, and the way to work on that card.

The registry lives on the event loop's thread. The backend's watching thread and the workers hand everything over with
`call_soon_threadsafe`, which keeps their order. What is known is one immutable `State`, replaced as a whole, so that
any thread may read it.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, TypeVar

import structlog

from cardd.base.clock import Clock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.iso7816.channel import Channel, Tracer
from cardd.iso7816.device import Backend, Observation, Waker, Watch
from cardd.readers.config import Role, StationConfig
from cardd.readers.facts import CardRemoved, Cause, Fact, ReaderState, ReaderStatus
from cardd.readers.holding import Holding
from cardd.readers.insertion import Insertion
from cardd.readers.job import AnyJob, Begun, Done, Failed, Job
from cardd.readers.leases import LONGEST_S
from cardd.readers.marking import marked
from cardd.readers.matching import Placement
from cardd.readers.obstacles import Obstacles
from cardd.readers.reconcile import (
    Change,
    SlotState,
    State,
    dark,
    hang,
    lose,
    note_answer,
    reconcile,
    recount,
    revive,
    settle,
    view,
)
from cardd.readers.showing import Showing
from cardd.readers.stay import Stay
from cardd.readers.supervisor import Supervisor, left_too_early
from cardd.readers.tap import Tap
from cardd.readers.waking import Waking
from cardd.readers.worker import HeldChannel, Told, Worker

T = TypeVar("T")

log = structlog.get_logger()

# Why there is no insertion to work on, where the reader's state says more than that there is no card.
_NO_INSERTION: Final = {
    ReaderState.UNAVAILABLE: Reason.READER_UNAVAILABLE,
    ReaderState.MUTE: Reason.CARD_MUTE,
    ReaderState.UNPOWERED: Reason.CARD_UNPOWERED,
    ReaderState.IN_USE: Reason.READER_IN_USE,
}


class Readers(Holding):
    """Stations, readers and insertions; one worker thread for each reader that is not ignored.

    `boot` counts the daemon's starts: it begins every insertion's id. `exclusive`: cards are opened for us alone;
    otherwise each job is one transaction, and so is a lease. `tracer` is shown every command, `tap` every
    exchange byte for byte, on the workers' threads. `lease_s` is the longest time for which a lease is given at once.
    """

    def __init__(
        self,
        backend: Backend,
        stations: Sequence[StationConfig],
        *,
        clock: Clock,
        boot: int,
        exclusive: bool = True,
        tracer: Tracer | None = None,
        lease_s: float = LONGEST_S,
        tap: Tap | None = None,
    ) -> None:
        self._placement = Placement(stations)
        super().__init__([station.name for station in self._placement.stations], clock, lease_s=lease_s)
        self._backend = backend
        self._obstacles = Obstacles(backend)
        self._supervisor = Supervisor(clock, self._hung)
        told = Told(self._job_finished, self._closing_begins, self._lease_lost, self._holds.lasts)
        self._tracer = tracer
        self._make_worker: Callable[[str], Worker] = lambda slot: Worker(
            slot, backend, clock=clock, exclusive=exclusive, tracer=self._tracer, told=told, tap=tap
        )
        self._state = State(boot)
        self._showing = Showing(self._state, self._is_ours)
        self._waking = Waking(clock, backend.wake if isinstance(backend, Waker) else lambda _slot: None)
        self._workers: dict[str, Worker] = {}
        self._listeners: list[Callable[[Fact], None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_thread = 0
        self._watch: Watch | None = None

    # -- event loop's thread: life --

    def start(self) -> None:
        """Begin to watch. The readers and cards that are there already are told first, soon after."""
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._watch = self._backend.watch(self._observed)

    def close(self) -> None:
        """Stop watching and answer every waiting caller with READER_UNAVAILABLE. Never blocks, waits for no worker."""
        self._loop = None
        self._leases.close()
        self._waking.tend(())
        if self._watch is not None:
            self._watch.close()
        for worker in self._workers.values():
            worker.retire()
        self._supervisor.close()

    def trace(self, tracer: Tracer | None) -> None:
        """Show every command of cards that are opened from now on to a tracer, or to none."""
        self._tracer = tracer
        for worker in self._workers.values():
            worker.trace(tracer)

    def subscribe(self, listener: Callable[[Fact], None]) -> None:
        """Tell a listener every fact from now on, in order, here; first those that lead to what is known already.

        A listener returns at once. One that raises is logged, and the others are told all the same.
        """
        for fact in recount(self._state):
            _tell(listener, fact)
        self._listeners.append(listener)

    # -- any thread: what is known --

    def views(self) -> tuple[ReaderStatus, ...]:
        """Return every reader there is, ignored ones last: the same tuple, for as long as nothing has changed."""
        return self._showing.views(self._state)

    def insertion_in(self, reader: str) -> Insertion | None:
        """Return the insertion that lasts in a reader."""
        return slot.insertion if (slot := self._slot_of(reader)) is not None else None

    def reader_of(self, insertion: str) -> str | None:
        """Return the reader in which an insertion lasts, None if it is over."""
        slot = self._state.holding(insertion)
        return slot.place.reader if slot is not None else None

    def stay_of(self, insertion: str) -> Stay | None:
        """Return how far the commands of an insertion that lasts have come, None before its card was opened."""
        slot = self._state.holding(insertion)
        worker = None if slot is None else self._workers.get(slot.place.pcsc_name)
        return None if worker is None else worker.stay_of(insertion)

    def stations(self) -> tuple[StationConfig, ...]:
        """Return the stations of the configuration, or the one that stands for an empty one."""
        return self._placement.stations

    # -- event loop's thread: work --

    async def run(
        self,
        insertion: str,
        operation: Callable[[Channel, Insertion], T],
        *,
        timeout_s: float,
        hold: str | None = None,
    ) -> T:
        """Do an operation on an insertion's card, in its reader's worker thread, and return its result.

        Connects, proves that the card answers as the insertion's did, runs `operation(channel, insertion)`, disconnects
        (with RESET if rights were gained). Under a lease, which `hold` names, the card stays open as the work left it,
        until the lease ends or the work fails in the middle of an exchange, which ends it. `timeout_s` seconds from now
        is the one deadline for all of it, waiting for earlier work in that reader included.

        Raises what the operation raises, and CarddError: LEASE_HELD if the card is leased and the work does not come
        under that lease; LEASE_LOST if its own lease is over; STALE_INSERTION if the insertion is over, or ends before
        the work begins; CARD_REMOVED if it ends in the middle; CARD_MUTE or CARD_UNPOWERED after a second power-up;
        READER_IN_USE if another program holds it, or a transaction on it, until the deadline; TIMEOUT;
        READER_UNAVAILABLE and PCSC_* where a reader or service does not answer.

        Cancellation: work still queued is dropped and never begins. Work that has begun is not disturbed, because a
        card must not be left in the middle of an exchange: it goes on to its end or deadline, and its result is lost.
        """
        self._holds.admit(insertion, hold)
        slot = self._state.holding(insertion)
        if slot is None or slot.insertion is None or self._loop is None:
            raise CarddError(Reason.STALE_INSERTION, "that insertion is over", insertion=insertion)
        worker = self._workers[slot.place.pcsc_name]
        job: Job[T] = Job(slot.insertion, self._clock.monotonic() + timeout_s, self._clock)
        answer: asyncio.Future[Done[T] | Failed] = self._loop.create_future()
        self._supervisor.watch(job, worker, partial(_answer, answer))
        work = marked(operation, insertion=insertion, reader=slot.place.reader)
        if hold is None:
            worker.visit(job, work)
        else:
            worker.stay(job, work, hold)
        try:
            outcome = await answer
        except asyncio.CancelledError:
            self._supervisor.cancel(job)
            raise
        if isinstance(outcome, Failed):
            outcome = await self._explained(worker, outcome)
        return outcome.unwrap()

    async def _explained(self, worker: Worker, failed: Failed) -> Failed:
        """Return what to tell of work that did not get at its card: that others are there, if that can be known."""
        held_up = self._obstacles.before(worker, failed.error)
        if held_up is None or self._loop is None:
            # nobody asks at the end of all: the readers close at once
            return failed
        return Failed(await asyncio.to_thread(self._obstacles.explain, failed.error, held_up, self._name(held_up)))

    # -- other workers' threads --

    def call_on(self, reader: str, operation: Callable[[HeldChannel], T], *, deadline: float) -> T:
        """Do an operation on the card of a SAM reader and return its result. Blocks: for other workers' threads only.

        The SAM's own worker runs `operation(held)` as one transaction on a handle that stays open between calls and is
        opened anew when it was lost. `deadline` is a time of the clock's `monotonic`.

        Raises what the operation raises, and CarddError: NOT_FOUND for no such reader, INVALID for one of another role,
        NO_CARD, CARD_MUTE, CARD_UNPOWERED, READER_UNAVAILABLE where there is no insertion in it, and as `run` does.
        """
        worker, insertion = self._sam(reader)
        job: Job[T] = Job(insertion, deadline, self._clock)
        self._supervisor.attend(job, worker)
        if self._state.holding(insertion.id) is None:
            # it ended before this thread could be told
            job.drop(left_too_early(job))
        worker.call(job, marked(operation, reader=reader))
        try:
            return Begun(job, partial(self._waiting, worker)).result()
        finally:
            self._supervisor.leave(job)
            if not job.finished:
                self._post(lambda: self._watch_call(job, worker))

    def begin_on(self, reader: str, operation: Callable[[HeldChannel], T], *, deadline: float) -> Begun[T]:
        """Begin what `call_on` does, and return at once: for other workers' threads, which wait for the result.

        An operation that waits for its caller in turn must end with its deadline, as everything else does.
        """
        worker, insertion = self._sam(reader)
        job: Job[T] = Job(insertion, deadline, self._clock)
        self._post(lambda: self._watch_call(job, worker))
        worker.call(job, marked(operation, reader=reader))
        return Begun(job, partial(self._waiting, worker))

    def forget_hung(self, station: str) -> None:
        """Give every hung reader of a station a new worker. The thread that hangs is left behind with its call."""
        for name, slot in list(self._state.slots.items()):
            if slot.hung and slot.place.station == station:
                self._workers.pop(name).retire()
                self._adopt(revive(self._state, name))

    # -- inner life --

    @contextmanager
    def _waiting(self, worker: Worker) -> Iterator[Callable[[BaseException], BaseException]]:
        """Let a worker's thread wait for another's work, and lend what says why it did so in vain."""
        caller = next((one for one in tuple(self._workers.values()) if one.is_current), None)
        explain = self._obstacles.explain
        with self._obstacles.waiting(caller, worker):
            yield lambda error: explain(error, self._obstacles.before(worker, error), self._name(worker))

    def _name(self, worker: Worker) -> str:
        slot = self._state.slots.get(worker.slot)
        return worker.slot if slot is None else slot.place.reader

    def _observed(self, observation: Observation) -> None:
        """Take an observation on the backend's watching thread."""
        self._post(lambda: self._adopt(reconcile(self._state, observation, self._placement.place)))

    def _job_finished(self, worker: Worker, job: AnyJob) -> None:
        """Take a finished job on its worker's thread."""
        # the event loop need not wake up for a job that tells it nothing and whose caller knows already
        if not (self._supervisor.attends(job) and self._is_routine(worker, job)):
            self._post(lambda: self._conclude(worker, job))

    def _closing_begins(self, worker: Worker, job: AnyJob) -> None:
        """Take the beginning of a closing on its worker's thread."""
        self._post(lambda: self._supervisor.watch(job, worker, _nobody))

    def _post(self, call: Callable[[], None]) -> None:
        """Have something done on the event loop's thread, in order; nothing any more once closed."""
        loop = self._loop
        if loop is None:
            return
        try:
            loop.call_soon_threadsafe(lambda: call() if self._loop is not None else None)
        except RuntimeError:
            # the loop was closed between the look and the call: nobody listens any more
            return

    def _adopt(self, change: Change) -> None:
        """Make a change the state, then tell it. All of one change is known before the first fact is told."""
        before, self._state = self._state, change.state
        self._staff()
        for wish in change.settling:
            self._clock.call_later(wish.seconds, partial(self._settled, wish.slot, wish.ticket))
        self._waking.tend(dark(self._state))
        for fact in change.facts:
            if isinstance(fact, CardRemoved):
                self._end(fact.insertion)
                _trace(fact, before, change.state)
            for listener in list(self._listeners):
                _tell(listener, fact)

    def _staff(self) -> None:
        """Give each reader in use one worker."""
        wanted = {name for name, slot in self._state.slots.items() if slot.place.role is not Role.IGNORED}
        for name in self._workers.keys() - wanted:
            self._workers.pop(name).retire()
        for name in wanted - self._workers.keys():
            self._workers[name] = self._make_worker(name)

    def _end(self, insertion: Insertion) -> None:
        self._supervisor.end_insertion(insertion.id)
        lease = self._holds.lease_of(insertion.id)
        if lease is not None:
            self._leases.end(lease.id)
        slot = self._slot_of(insertion.reader)
        if insertion.role is Role.SAM and slot is not None:
            self._workers[slot.place.pcsc_name].let_go()

    def _now(self) -> State | None:
        return self._state if self._loop is not None else None

    def _worker_of(self, slot: str) -> Worker | None:
        return self._workers.get(slot)

    def _settled(self, name: str, ticket: int) -> None:
        if self._loop is not None:
            self._adopt(settle(self._state, name, ticket))

    def _conclude(self, worker: Worker, job: AnyJob) -> None:
        """Take in a job whose worker has let go of the card: first what it says of the card, then its caller."""
        if not self._is_routine(worker, job):
            self._judge(worker, job)
        self._supervisor.finished(job)

    def _judge(self, worker: Worker, job: AnyJob) -> None:
        if self._workers.get(worker.slot) is worker:
            self._adopt(revive(self._state, worker.slot))
        if job.loss is not None:
            self._adopt(lose(self._state, job.insertion.id, job.loss.cause, answered=job.loss.answered))
        elif job.silent is not None or isinstance(job.outcome, Done):
            self._adopt(note_answer(self._state, job.insertion.id, job.silent))

    def _hung(self, worker: Worker) -> None:
        if self._workers.get(worker.slot) is worker:
            error = CarddError(Reason.READER_UNAVAILABLE, "a call into the reader does not return")
            self._supervisor.give_up(worker, error)
            if self._obstacles.before(worker, error) is worker:
                found = partial(self._found_hung, worker, worker.serving)
                self._obstacles.ask(error, worker, self._name(worker), lambda why: self._post(lambda: found(why)))
            else:
                self._adopt(hang(self._state, worker.slot, error))

    def _found_hung(self, worker: Worker, job: AnyJob | None, error: CarddError) -> None:
        """Note why a worker's call does not return, unless it has done so while that was asked."""
        if self._workers.get(worker.slot) is not worker or job is None or worker.serving is not job:
            return
        if worker.entering:
            self._adopt(hang(self._state, worker.slot, error))
        else:
            # it is past that call, and may hang in the next one
            self._supervisor.watch_longer(job)

    def _is_routine(self, worker: Worker, job: AnyJob) -> bool:
        """Tell whether the end of a job says nothing new of its card or reader."""
        slot = self._state.slots.get(worker.slot)
        well = slot is not None and not (slot.hung or slot.losses or slot.silent)
        return well and job.loss is None and job.silent is None

    def _watch_call(self, job: AnyJob, worker: Worker) -> None:
        self._supervisor.watch(job, worker, _nobody)
        if job.finished:
            self._supervisor.finished(job)
        elif self._state.holding(job.insertion.id) is None:
            self._supervisor.end_insertion(job.insertion.id)

    def _sam(self, reader: str) -> tuple[Worker, Insertion]:
        """Return a module's worker and insertion, for a thread that may wait for it."""
        state = self._state
        slot = next((slot for slot in state.slots.values() if slot.place.reader == reader), None)
        if slot is None:
            raise CarddError(Reason.NOT_FOUND, "there is no such reader", reader=reader)
        if slot.place.role is not Role.SAM:
            raise CarddError(Reason.INVALID, "that reader is not for security modules", reader=reader)
        worker = self._workers.get(slot.place.pcsc_name)
        if slot.insertion is None or worker is None:
            reason = _NO_INSERTION.get(view(state, slot, ours=True), Reason.NO_CARD)
            raise CarddError(reason, reader=reader)
        if worker.is_current or threading.get_ident() == self._loop_thread:
            raise RuntimeError("call_on blocks: it is for other workers' threads")
        return worker, slot.insertion

    def _slot_of(self, reader: str) -> SlotState | None:
        return next((slot for slot in self._state.slots.values() if slot.place.reader == reader), None)

    def _is_ours(self, name: str) -> bool:
        worker = self._worker_of(name)
        return worker is not None and worker.has_card


def _tell(listener: Callable[[Fact], None], fact: Fact) -> None:
    try:
        listener(fact)
    except Exception:
        log.exception("a listener failed", fact=type(fact).__name__)


def _trace(fact: CardRemoved, before: State, after: State) -> None:
    """Log by what sign a card that nobody was seen to take out was lost: its count, its answer to reset."""
    old, new = before.slots.get(fact.insertion.pcsc_name), after.slots.get(fact.insertion.pcsc_name)
    if fact.cause is Cause.REMOVED or old is None or new is None or old.look is None or new.look is None:
        return
    log.info(
        "card.lost",
        reader=fact.insertion.reader,
        insertion=fact.insertion.id,
        cause=str(fact.cause),
        counters=(old.look.counter, new.look.counter),
        # its historical bytes name the chip: told is only whether a look, and a connection, gave another one
        other_answers=tuple(bool(atr) and atr != fact.insertion.atr for atr in (new.look.atr, new.answered)),
    )


def _answer(answer: asyncio.Future[Any], outcome: Done[Any] | Failed) -> None:
    if not answer.done():
        answer.set_result(outcome)


def _nobody(_outcome: Done[Any] | Failed) -> None:
    """Answer nobody: the caller of `call_on` waits on the job itself."""
