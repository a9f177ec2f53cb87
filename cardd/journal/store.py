"""The journal: the durable record of events and activations, as the event loop's thread sees it."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Final, Protocol, TypeVar

from cardd.base.clock import Clock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.sealing import Sealer, Tokens
from cardd.base.structs import Struct
from cardd.journal import cursor as cursors
from cardd.journal.database import Database
from cardd.journal.encoding import Also, PreparedActivation, PreparedDeed, prepare, stored_activation, stored_deed
from cardd.journal.events import ActivationRow, DeedRow, NewEvent, Statistics, StoredEvent
from cardd.journal.heads import Notary, Place
from cardd.journal.lock import DirectoryLock
from cardd.journal.reserve import Reserve
from cardd.journal.writer import Committed, Outcome, Writer

T = TypeVar("T")

Subscriber = Callable[[Sequence[StoredEvent]], None]

_CLOSING_S: Final = 1.4
_ALL: Final = -1
"""SQLite's word for no limit."""


class _Waiting(Protocol):
    """A future of whatever type, as far as it can be refused."""

    def done(self) -> bool: ...
    def set_exception(self, exception: BaseException, /) -> None: ...


class Keeping(Struct, frozen=True):
    """What makes the journal evidence: who signs its heads, and how persons and cards are named in its index.

    `reserve_bytes` are set aside on the disk, so that what is open can come to its end when it is full.
    """

    notary: Notary | None = None
    tokens: Tokens | None = None
    reserve_bytes: int = 0


class Journal:
    """Events and activations. All methods belong to the event loop's thread; the disk is another thread's."""

    def __init__(
        self,
        database: Database,
        lock: DirectoryLock,
        *,
        sealer: Sealer,
        clock: Clock,
        source: str,
        keeping: Keeping,
        reserve: Reserve | None,
    ) -> None:
        """Take over an open database; callers use `open`."""
        self.stream = database.stream
        self.boot = database.boot
        self.last = database.last
        self.evicted = database.evicted
        self._digest = database.digest
        self.source = source
        self._path = database.path
        self._open = set(database.open_ids)
        self._lock = lock
        self._sealer = sealer
        self._clock = clock
        self._keeping = keeping
        self._subscribers: dict[object, Subscriber] = {}
        self._waiting: set[_Waiting] = set()
        self._closed: asyncio.Future[None] | None = None
        self._timed: Callable[[float], None] = lambda _: None
        self._writer = Writer(database, reserve, self._deliver, clock.monotonic)

    @classmethod
    def open(
        cls, directory: Path, *, sealer: Sealer, clock: Clock, source: str, keeping: Keeping | None = None
    ) -> "Journal":
        """Open the journal of a directory, which is made if there is none. Blocks for the disk.

        Without `keeping` nothing is signed, and events are found by time, insertion and activation only.

        Raises CarddError: BUSY while another process has it; INVALID for a newer schema, a foreign or a broken file;
        JOURNAL_FULL; JOURNAL_UNAVAILABLE.
        """
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = DirectoryLock(directory)
        except OSError as error:
            detail = f"{directory} cannot be used: {error.strerror}"
            raise CarddError(Reason.JOURNAL_UNAVAILABLE, detail) from None
        try:
            keeping = keeping or Keeping()
            reserve = Reserve(directory, keeping.reserve_bytes) if keeping.reserve_bytes else None
            database = _database(directory, keeping.notary, reserve)
            database.mark_the_old(sealer, keeping.tokens)
            return cls(database, lock, sealer=sealer, clock=clock, source=source, keeping=keeping, reserve=reserve)
        except BaseException:
            lock.release()
            raise

    def record(
        self,
        *events: NewEvent,
        activation: ActivationRow | None = None,
        deed: DeedRow | None = None,
        also: Also | None = None,
    ) -> asyncio.Future[tuple[StoredEvent, ...]]:
        """Make events, and an activation's or a deed's new state, durable together: all of one call or nothing of it.

        The order of calls is the order of sequence. The future resolves after the disk has it and after every
        subscriber was told; it fails with CarddError: INVALID (no JSON, or too large), JOURNAL_FULL,
        JOURNAL_UNAVAILABLE. Cancelling the future does not undo what was queued. `also` is what else is done to the
        database in the same transaction, on its thread.
        """
        future: asyncio.Future[tuple[StoredEvent, ...]] = asyncio.get_running_loop().create_future()
        try:
            self._refuse_if_closed()
            call = prepare(
                events,
                activation,
                deed,
                sealer=self._sealer,
                time=self._clock.now(),
                tokens=self._keeping.tokens,
                also=also,
            )
        except CarddError as error:
            future.set_exception(error)
            return future
        self._waiting.add(future)
        self._writer.record(call, future)
        return future

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Call back on the loop's thread with the events of every commit, in order; the result unsubscribes."""
        key = object()
        self._subscribers[key] = callback

        def unsubscribe() -> None:
            self._subscribers.pop(key, None)

        return unsubscribe

    def time_commits(self, timed: Callable[[float], None]) -> None:
        """Tell from now on how many seconds each commit took, here, before its subscribers are told."""
        self._timed = timed

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        """Return the events that follow a sequence, at most `limit`.

        Subscribers have been told of every event that this returns before it returns.

        Raises CarddError CURSOR_GONE where some that follow were evicted.
        """
        if after >= self.last:
            return []
        return await self.ask(lambda database: database.read(after, limit))

    async def activation(self, identity: str) -> ActivationRow | None:
        """Return one activation, or None."""
        row = await self.ask(lambda database: database.activation(identity))
        return None if row is None else stored_activation(row, self._sealer)

    async def activation_begun(self, client: str, request: str) -> str | None:
        """Return the id of the activation that a client's request began, or None."""
        return await self.ask(lambda database: database.activation_begun(client, request))

    async def activations(self, *, open_only: bool, limit: int | None = 100) -> list[ActivationRow]:
        """Return activations, newest first; unless only the open ones are asked for, these come first.

        None is no limit.
        """
        question = Database.open_activations if open_only else Database.activations
        most = _ALL if limit is None else limit
        rows: list[PreparedActivation] = await self.ask(lambda database: question(database, most))
        return [stored_activation(row, self._sealer) for row in rows]

    async def deed(self, client: str, request: str) -> DeedRow | None:
        """Return what a client's request came to, or None where it was never begun."""
        row = await self.ask(lambda database: database.deed(client, request))
        return None if row is None else stored_deed(row, self._sealer)

    async def open_deeds(self) -> list[DeedRow]:
        """Return all deeds of which nobody knows yet what became of them, newest first."""
        rows: list[PreparedDeed] = await self.ask(lambda database: database.open_deeds(_ALL))
        return [stored_deed(row, self._sealer) for row in rows]

    async def untold_deeds(self) -> list[DeedRow]:
        """Return all deeds of whose end somebody has still to be told, newest first."""
        rows: list[PreparedDeed] = await self.ask(Database.untold_deeds)
        return [stored_deed(row, self._sealer) for row in rows]

    def told(self, client: str, request: str) -> asyncio.Future[None]:
        """Have it on record that somebody was told what became of a deed, behind what is recorded before.

        The future fails with CarddError JOURNAL_*: then the deed is as it was.
        """
        return self._asked(lambda database: database.tell(client, request))

    @property
    def head(self) -> str:
        """The chain's place after the last event that was committed: `STREAM:SEQUENCE:DIGEST`."""
        return str(Place(self.stream, self.last, self._digest.hex()))

    def vouch(self) -> Place:
        """Return that place as a signed head (`Head`), or as it is where nobody signs."""
        notary = self._keeping.notary
        if notary is None:
            return Place(self.stream, self.last, self._digest.hex())
        return notary.sign(self.stream, self.last, self._digest)

    async def sign(self) -> None:
        """Have the newest head signed and stored, if that has not been done. Raises CarddError JOURNAL_*."""
        await self.ask(Database.sign)

    async def make_room(self) -> None:
        """Set space aside again where it was given up and there is some. Raises CarddError JOURNAL_*."""
        self._refuse_if_closed()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writer.make_room(future)
        await self._answer(future)

    def position(self, cursor: str) -> int:
        """Return the sequence after which a cursor stands.

        Raises CarddError CURSOR_GONE also for a place that this stream has not reached (an older copy was restored),
        and for one behind which events were evicted.
        """
        sequence = cursors.decode(cursor, self.stream, self.evicted)
        if sequence > self.last:
            raise cursors.gone("this stream has not come that far", self.stream, self.evicted)
        return sequence

    def statistics(self) -> Statistics:
        """Return how the journal stands."""
        sizes = [_size(self._path), _size(self._path.with_name(self._path.name + "-wal"))]
        return Statistics(self.last, sum(sizes), len(self._open), self._writer.space)

    async def close(self) -> None:
        """Do what is queued and close the file, within a second and a half.

        Should the disk hang longer, those who still wait get JOURNAL_UNAVAILABLE: what they recorded may or may not
        be found at the next start, never half of it.
        """
        loop = asyncio.get_running_loop()
        if self._closed is None:
            self._closed = closed = loop.create_future()
            self._writer.stop(loop, lambda: self._release(closed))
        try:
            await asyncio.wait_for(asyncio.shield(self._closed), _CLOSING_S)
        except TimeoutError:
            late = CarddError(Reason.JOURNAL_UNAVAILABLE, "the disk did not answer in time")
            for future in self._waiting:
                if not future.done():
                    future.set_exception(late)

    def _release(self, closed: asyncio.Future[None]) -> None:
        self._lock.release()
        closed.set_result(None)

    async def ask(self, question: Callable[[Database], T]) -> T:
        """Return what a question finds in the database, on its thread; everything recorded before is there by then.

        Raises what the question raises, database errors as CarddError JOURNAL_*.
        """
        return await self._asked(question)

    def _asked(self, question: Callable[[Database], T]) -> asyncio.Future[T]:
        """Queue a question at once, and return the future of its answer."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        try:
            self._refuse_if_closed()
        except CarddError as error:
            future.set_exception(error)
            return future
        self._waiting.add(future)
        future.add_done_callback(self._waiting.discard)
        self._writer.ask(question, future)
        return future

    async def _answer(self, future: asyncio.Future[T]) -> T:
        self._waiting.add(future)
        try:
            return await future
        finally:
            self._waiting.discard(future)

    def _refuse_if_closed(self) -> None:
        if self._closed is not None:
            raise CarddError(Reason.JOURNAL_UNAVAILABLE, "the journal is closed")

    def _deliver(self, outcomes: Sequence[Outcome], seconds: float) -> None:
        """Adopt what was committed: first our own figures, then the subscribers, then those who wait."""
        _tell_each([self._timed], seconds)
        events: list[StoredEvent] = []
        for outcome in outcomes:
            if isinstance(outcome, Committed):
                self._adopt(outcome)
                events += chain.from_iterable(outcome.events)
        if events:
            self.last = events[-1].sequence
            _tell_each(tuple(self._subscribers.values()), events)
        for outcome in outcomes:
            self._waiting.difference_update([record.future for record in outcome.records])
            outcome.settle()

    def _adopt(self, committed: Committed) -> None:
        self.evicted, self._digest = committed.evicted, committed.digest
        for record in committed.records:
            activation = record.call.activation
            if activation is not None:
                change = self._open.add if activation.open else self._open.discard
                change(activation.id)


def _tell_each(listeners: Sequence[Callable[[T], None]], news: T) -> None:
    """Tell everybody: one listener's fault is neither the others' nor that of those who wait for their record."""
    for listener in listeners:
        try:
            listener(news)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told, and the journal goes on
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a subscriber of the journal failed", "exception": error}
            )


def _database(directory: Path, notary: Notary | None, reserve: Reserve | None) -> Database:
    """Open the file; also on a full disk, which what is open may need."""
    while True:
        try:
            return Database(directory, notary)
        except CarddError as error:
            if error.reason is not Reason.JOURNAL_FULL or reserve is None or not reserve.release():
                raise


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
