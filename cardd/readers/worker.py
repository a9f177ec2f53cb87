"""The thread that alone touches the card in one reader: jobs in, futures out.

A worker's thread is a daemon thread and nobody ever waits for it: any PC/SC call may block for ever.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Final, TypeVar

from cardd.base.clock import Clock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Struct
from cardd.iso7816.channel import Channel, Tracer
from cardd.iso7816.device import Backend
from cardd.readers.insertion import Insertion
from cardd.readers.job import AnyJob, Job
from cardd.readers.link import Link
from cardd.readers.opening import Opener
from cardd.readers.stay import Stay
from cardd.readers.tap import Tap, Transmit, tapped

T = TypeVar("T")

CLOSE_S: Final = 5.0
"""How long closing a handle may take, a reset of the card included."""

AFTERGLOW_S: Final = 0.3
"""For so long after a disconnection a look may still call the card in use."""


class HeldChannel(Struct, frozen=True):
    """A card whose handle stays open between calls, lent for one call, which is one transaction.

    `fresh`: the handle was opened for this call, so nothing that was selected or computed before holds any more.
    """

    channel: Channel
    insertion: Insertion
    fresh: bool


class _Held(Struct, frozen=True):
    """A handle that stays open: a security module's between calls, or a card's for a lease."""

    link: Link
    channel: Channel
    insertion: Insertion
    lease: str = ""


class Told(Struct, frozen=True):
    """Whom a worker tells, on its own thread: of each job that ran, and of a lease whose open card was lost.

    `closing` is told of a job that was not asked for: closing a handle, which may hang as any call may. `lasts` is what
    it asks whether a lease lasts.
    """

    finished: Callable[["Worker", AnyJob], None]
    closing: Callable[["Worker", AnyJob], None]
    lost: Callable[[str], None]
    lasts: Callable[[str], bool]


class Worker:
    """One reader's thread."""

    def __init__(
        self,
        slot: str,
        backend: Backend,
        *,
        clock: Clock,
        exclusive: bool,
        tracer: Tracer | None,
        told: Told,
        tap: Tap | None = None,
    ) -> None:
        self.slot: Final = slot
        self._opener = Opener(backend, slot, exclusive=exclusive)
        self._clock = clock
        self._exclusive = exclusive
        self._tracer = tracer
        self._told = told
        self._tap = tap
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._held: _Held | None = None
        self._serving: AnyJob | None = None
        self._lost = ""
        self._followed = Stay("")
        self._open = False
        self._closed_at = float("-inf")
        self._thread = threading.Thread(target=self._main, name=f"reader {slot}", daemon=True)
        self._thread.start()

    # -- any thread; none of these blocks --

    def trace(self, tracer: Tracer | None) -> None:
        """Show commands to a tracer, or to none, from the next opening of the card on."""
        self._tracer = tracer

    def visit(self, job: Job[T], operation: Callable[[Channel, Insertion], T]) -> None:
        """Queue work that connects, does its operation and disconnects."""
        self._tasks.put(lambda: self._serve(job, lambda: self._visit(job, operation)))

    def call(self, job: Job[T], operation: Callable[[HeldChannel], T]) -> None:
        """Queue work on the handle that stays open between calls."""
        self._tasks.put(lambda: self._serve(job, lambda: self._call(job, operation)))

    def stay(self, job: Job[T], operation: Callable[[Channel, Insertion], T], lease: str) -> None:
        """Queue work on the handle that stays open for a lease, with what was selected and opened left as it is."""
        self._tasks.put(lambda: self._serve(job, lambda: self._stay(job, operation, lease)))

    def let_go(self, then: Callable[[], None] = lambda: None) -> None:
        """Close the handle that stays open, when its turn comes, and call on."""

        def close() -> None:
            self._close_held()
            then()

        self._tasks.put(close)

    def retire(self) -> None:
        """End the thread after what is queued. A thread that hangs is left behind."""
        self._tasks.put(None)

    @property
    def has_card(self) -> bool:
        """Tell whether the handle that makes the card look in use is, or was until just now, this worker's own."""
        return self._open or self._clock.monotonic() - self._closed_at < AFTERGLOW_S

    @property
    def serving(self) -> AnyJob | None:
        """Return the job that it does, or did last."""
        return self._serving

    def stay_of(self, insertion: str) -> Stay | None:
        """Return how far the commands of an insertion have come, None where it is not the newest that was opened."""
        stay = self._followed
        return stay if stay.insertion == insertion else None

    @property
    def entering(self) -> bool:
        """Tell whether it is in a call that waits as long as another program has a transaction on the card."""
        job = self._serving
        return job is not None and job.entering

    @property
    def is_current(self) -> bool:
        """Tell whether the caller runs on this worker's thread."""
        return threading.current_thread() is self._thread

    # -- the worker's own thread --

    def _main(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()
        self._drop_held()

    def _serve(self, job: Job[T], work: Callable[[], None]) -> None:
        if not job.claim():
            return
        self._serving = job
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - the thread outlives whatever is raised in it
            job.fail(error)
        job.finish()
        self._told.finished(self, job)

    def _visit(self, job: Job[T], operation: Callable[[Channel, Insertion], T]) -> None:
        self._drop_held()
        link = self._connect(job)
        channel = self._channel(link)
        job.conclude(lambda: self._alone(link, channel, lambda: operation(channel, job.insertion)))
        self._followed.visited()
        job.loss = link.loss
        # The outcome is known before the card is let go: a disconnection that hangs takes it from nobody.
        self._disconnect(link, channel)

    def _call(self, job: Job[T], operation: Callable[[HeldChannel], T]) -> None:
        held, fresh = self._lend(job)
        lent = HeldChannel(held.channel, job.insertion, fresh)
        job.conclude(lambda: _unbroken(held.link, lambda: operation(lent)))
        if held.link.broken is None:
            held.link.end()
        job.loss = held.link.loss
        if held.link.broken is not None:
            self._drop_held()

    def _stay(self, job: Job[T], operation: Callable[[Channel, Insertion], T], lease: str) -> None:
        # looked at in the job's turn: a lease that is over opens no card any more
        if not self._told.lasts(lease) or lease == self._lost:
            raise CarddError(Reason.LEASE_LOST, "the lease ended before the work's turn came")
        held = self._held
        if held is not None and held.lease == lease:
            held.link.lend(job)
        else:
            held = self._settle_in(job, lease)
        job.conclude(lambda: _unbroken(held.link, lambda: operation(held.channel, job.insertion)))
        job.loss = held.link.loss
        if held.link.broken is not None:
            self._lose_held(lease)

    def _settle_in(self, job: Job[T], lease: str) -> _Held:
        """Open the card for a lease. In shared mode the one transaction begins here that ends with the handle."""
        self._drop_held()
        link = self._connect(job)
        held = self._held = _Held(link, self._channel(link), job.insertion, lease)
        if not self._exclusive:
            self._begin(held, job)
        return held

    def _lose_held(self, lease: str) -> None:
        """Close a leased card of which nobody knows any more what is selected and open: the lease is worthless."""
        self._lost = lease
        self._drop_held()
        self._told.lost(lease)

    def _lend(self, job: Job[T]) -> tuple[_Held, bool]:
        """Return the held card in a transaction, and whether it had to be opened for that."""
        held = self._held
        if held is not None and held.insertion == job.insertion:
            held.link.lend(job)
            # A handle that was lost while it lay idle is replaced: no command of this call was sent on it.
            with suppress(CarddError):
                held.link.begin()
                return held, False
        self._drop_held()
        link = self._connect(job)
        held = self._held = _Held(link, self._channel(link), job.insertion)
        self._begin(held, job)
        return held, True

    def _begin(self, held: _Held, job: Job[T]) -> None:
        """Begin a transaction on a card that was opened just now; one that cannot have it is let go of."""
        try:
            held.link.begin()
        except CarddError:
            job.loss = held.link.loss
            self._drop_held()
            raise

    def _alone(self, link: Link, channel: Channel, operation: Callable[[], T]) -> T:
        """Do an operation so that no other program's command comes between, nor finds the card opened by it."""
        if self._exclusive:
            return _unbroken(link, operation)
        link.begin()
        try:
            return _unbroken(link, operation)
        finally:
            link.end(reset=channel.rights_gained)

    def _connect(self, job: Job[T]) -> Link:
        connection = self._opener.open(job)
        if self._followed.insertion != job.insertion.id:
            self._followed = Stay(job.insertion.id)
        transmit: Transmit = connection.transmit
        if self._tap:
            transmit = tapped(transmit, job.insertion, self._tap, self._clock.monotonic)
        link = Link(connection, job, self._followed.following(transmit))
        self._open = True
        return link

    def _channel(self, link: Link) -> Channel:
        transport = link.connection.transport
        return Channel(link.transmit, transport, self._tracer, monotonic=self._clock.monotonic, control=link.control)

    def _close_held(self) -> None:
        """Close the handle that stays open, watched: no work is under way whose deadline would tell of a hung call."""
        if self._held is None:
            return
        job: AnyJob = Job(self._held.insertion, self._clock.monotonic() + CLOSE_S, self._clock)
        job.claim()
        self._told.closing(self, job)
        self._drop_held()
        job.finish()
        self._told.finished(self, job)

    def _drop_held(self) -> None:
        held, self._held = self._held, None
        if held is None:
            return
        # before the disconnection: somebody who waits could come between its end of the transaction and its reset
        held.link.end(reset=held.channel.rights_gained)
        self._disconnect(held.link, held.channel)

    def _disconnect(self, link: Link, channel: Channel) -> None:
        """Let go of the card. One that was opened to more than its public data is reset, for whoever comes next."""
        # a card that was reset already may have been begun with by somebody who waited for it
        link.connection.disconnect(reset=channel.rights_gained and not link.was_reset)
        self._closed_at = self._clock.monotonic()
        self._open = False


def _unbroken(link: Link, operation: Callable[[], T]) -> T:
    """Do an operation; a failure of the link is its outcome even where the operation took it for something else."""
    try:
        value = operation()
    except Exception:
        if link.broken is not None:
            raise link.broken from None
        raise
    if link.broken is not None:
        raise link.broken
    return value
