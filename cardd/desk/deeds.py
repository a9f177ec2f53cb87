"""What clients ask to be done once: on record before it is done, and answered the same when it is asked for again."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol, TypeVar

import msgspec
import structlog

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.desk import deed_rows as rows
from cardd.desk.deed_rows import Deed, Intent, Told
from cardd.desk.intending import wait_for, was_kept_back
from cardd.iso7816.status import SW
from cardd.journal.events import DeedRow, Json, NewEvent, StoredEvent
from cardd.journal.store import Journal
from cardd.keys.service import UNASKED
from cardd.wire.base import Result

log = structlog.get_logger()

R = TypeVar("R", bound=Result)
R_co = TypeVar("R_co", bound=Result, covariant=True)

_Key = tuple[str, str]

Intend = Callable[[Intent], None]
"""Makes an intent durable before it returns, on a worker's thread. What it raises keeps the deed from being done."""

Done = tuple[R, Told | None]
"""A result, and what is told of it."""

Find = Callable[[DeedRow], Awaitable[tuple[Result | None, Told]]]
"""Finds out what became of a deed: its result, or None where it is not done yet, and what is told of that."""

GiveUp = Callable[[DeedRow], NewEvent]
"""Makes the event for a deed of which nobody will find out what became of it."""

_UNSENT: Final = frozenset({Reason.PIN_CANCELLED, Reason.PIN_TIMEOUT, Reason.PIN_MISMATCH, Reason.PIN_LENGTH})
"""After an intent these are a keypad's own word that it has sent nothing."""

_OF_THE_PIN: Final = frozenset({Reason.PIN_WRONG, Reason.PIN_LOCKED})

_FAILED: Final = f"{SW.MEMORY_FAILURE:04X}"


class Course(Protocol[R_co]):
    """The course that a deed takes."""

    async def do(self, intend: Intend) -> Done[R_co]:
        """Do it. `intend` is called right before the first command that changes or counts anything."""

    async def take_up(self, row: DeedRow) -> Done[R_co]:
        """Find out what became of it on its card, and do what may be done of what is left."""

    def refused(self, row: DeedRow, error: CarddError) -> tuple[NewEvent, ...]:
        """Return the events of an intent that came to nothing."""


class Deeds:
    """Does each deed once, and puts it on record before and after. Loop thread only.

    Kept are results, and refusals that are the card's own word: a wrong PIN is not tried a second time by asking again.
    What failed before its intent is done again when it is asked for again. After it only the card knows: the deed stays
    open and is taken up when it is asked for again, except where nobody can find out; that is told at once.
    """

    def __init__(self, journal: Journal, methods: Mapping[str, GiveUp | None]) -> None:
        """`methods` are those of the deeds that are done here, with how to give one up where nobody can find out."""
        self._journal = journal
        self._methods = methods
        self._open: dict[_Key, DeedRow] = {}
        self._running: dict[_Key, tuple[Deed, asyncio.Task[Result]]] = {}
        self._looks: dict[_Key, asyncio.Task[Reason | None]] = {}
        self._tasks: set[asyncio.Task[Result] | asyncio.Task[Reason | None]] = set()

    async def recover(self) -> None:
        """Take up the deeds of an earlier daemon of which it is not known what became of them."""
        for row in await self._journal.open_deeds():
            if row.method in self._methods:
                await self._doubt(row)

    async def once(self, deed: Deed, kind: type[R], course: Course[R]) -> R:
        """Return the deed's result, doing it unless that was done.

        It goes on to its end when the caller is gone. Raises CarddError: INVALID for a request that was another deed,
        what the course raises, and what the journal raises.
        """
        if deed.request is None:
            return _typed(await asyncio.shield(self._begin(self._do(deed, course))), kind)
        key = (deed.client, deed.request)
        known = self._running.get(key)
        if known is None:
            known = self._running[key] = (deed, self._begin(self._recall(key, deed, kind, course)))
            known[1].add_done_callback(lambda _: self._running.pop(key, None))
        if known[0] != deed:
            raise _another()
        return _typed(await asyncio.shield(known[1]), kind)

    def open(self) -> list[DeedRow]:
        """Return the deeds of which a card may still tell what became of them."""
        return list(self._open.values())

    async def look_into(self, row: DeedRow, find: Find) -> Reason | None:
        """Have it found out what became of an open deed, unless it is under way again; return why that failed."""
        key = (row.client, row.request)
        if key in self._running or key in self._looks or key not in self._open:
            return None
        look = self._looks[key] = asyncio.get_running_loop().create_task(self._look(row, find))
        self._tasks.add(look)
        look.add_done_callback(self._tasks.discard)
        look.add_done_callback(lambda _: self._looks.pop(key, None))
        return await look

    def close(self) -> None:
        """Give up what is under way. Open deeds are taken up by the next start."""
        for task in self._tasks:
            task.cancel()

    # -- one deed

    def _begin(self, work: "Awaitable[Result]") -> "asyncio.Task[Result]":
        task = asyncio.ensure_future(work)
        assert isinstance(task, asyncio.Task)  # noqa: S101 - a coroutine becomes nothing else
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[Result]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            # read, so that asyncio does not complain where nobody waits any more
            task.exception()

    async def _recall(self, key: _Key, deed: Deed, kind: type[R], course: Course[R]) -> Result:
        look = self._looks.get(key)
        if look is not None:
            await asyncio.wait([look])
        row = await self._journal.deed(*key)
        if row is None:
            return await self._do(deed, course)
        if not rows.is_of(row, deed):
            raise _another()
        if rows.is_free(row):
            return await self._do(deed, course)
        known = rows.result_of(row)
        return await self._take_up(row, course) if known is None else msgspec.convert(known, kind)

    async def _do(self, deed: Deed, course: Course[R]) -> Result:
        attempt = _Attempt(self._journal, deed)
        try:
            result, told = await course.do(attempt.intend)
        except CarddError as error:
            attempt.over = True
            await self._failed(deed, attempt, course, error)
            raise
        attempt.over = True
        await self._finish(attempt.row or rows.unbegun(deed), result, told)
        return result

    async def _failed(self, deed: Deed, attempt: "_Attempt", course: Course[R], error: CarddError) -> None:
        row = attempt.row
        events = () if row is None else course.refused(row, error)
        if _is_refusal(error):
            await self._keep(rows.refused(row or rows.unbegun(deed), error), *events)
        elif row is None:
            return
        elif attempt.failed:
            self._forget(row)
        elif error.reason in _UNSENT or was_kept_back(error):
            await self._keep(rows.freed(row), *events)
        else:
            log.warning("deed.in_doubt", method=deed.method, reason=str(error.reason))
            await self._doubt(row)

    async def _take_up(self, row: DeedRow, course: Course[R]) -> Result:
        """Answer for a deed that an earlier attempt left, which nobody does a second time by itself.

        A PIN or a key that the card does not take now is no word on what became of it: it stays open.
        """
        if row.open and self._methods[row.method] is not None:
            await self._doubt(row)
            row = rows.given_up(row)
        try:
            result, told = await course.take_up(row)
        except CarddError as error:
            if row.open and error.reason in _OF_THE_PIN and _is_refusal(error):
                await self._journal.record(*rows.pin_refusal(row, error))
            elif row.open and error.reason is not Reason.KEY_STOPPED and _is_refusal(error):
                await self._keep(rows.refused(row, error), *course.refused(row, error))
            raise
        if row.open:
            await self._finish(row, result, told)
        return result

    async def _look(self, row: DeedRow, find: Find) -> Reason | None:
        try:
            result, told = await find(row)
            if result is None:
                await self._journal.record(rows.told(row, told))
            else:
                await self._finish(row, result, told)
        except CarddError as error:
            log.info("deed.still_open", method=row.method, reason=str(error.reason))
            return error.reason
        return None

    async def _doubt(self, row: DeedRow) -> None:
        """Keep a deed open whose card may tell what became of it; of any other tell that nobody knows."""
        give_up = self._methods[row.method]
        if give_up is not None:
            await self._keep(rows.given_up(row), give_up(row))
        elif row.request:
            self._open[row.client, row.request] = row

    async def _finish(self, row: DeedRow, result: Result, told: Told | None) -> None:
        await self._keep(rows.done(row, _plain(result)), *([] if told is None else [rows.told(row, told)]))

    def _forget(self, row: DeedRow) -> None:
        """Free a deed whose intent the journal may have taken all the same, without waiting for a disk that hangs."""
        if row.request:
            self._journal.record(deed=rows.freed(row)).add_done_callback(_read)

    async def _keep(self, row: DeedRow, *events: NewEvent) -> None:
        """Put a deed's end on record; of one without a request, its events only."""
        await self._journal.record(*events, deed=row if row.request else None)
        self._open.pop((row.client, row.request), None)


class _Attempt:
    """One attempt at a deed, and its row once there is an intent. `failed`: the journal did not take it in time."""

    def __init__(self, journal: Journal, deed: Deed) -> None:
        self.row: DeedRow | None = None
        self.failed = False
        self.over = False
        self._journal = journal
        self._deed = deed
        self._loop = asyncio.get_running_loop()

    def intend(self, intent: Intent) -> None:
        """Make the intent durable, on a worker's thread, while the card waits in its power."""
        wait_for(self._loop, lambda: self._record(intent))

    async def _record(self, intent: Intent) -> None:
        if self.over:
            raise CarddError(Reason.TIMEOUT, "the deed was given up before anything was done")
        self.row = row = rows.intended(self._deed, intent)
        try:
            await self._journal.record(rows.event(intent.event, row, {}), deed=row if row.request else None)
        except BaseException:
            self.failed = True
            raise


def _is_refusal(error: CarddError) -> bool:
    """Tell whether the card has said that it did not do it; a memory that failed may have changed all the same.

    A security module has status words too: they are nothing that the card said.
    """
    return error.reason not in UNASKED and error.facts.get("status_word", _FAILED) != _FAILED


def _another() -> CarddError:
    return CarddError(Reason.INVALID, "this request was another deed: give each its own", path="$.request")


def _plain(result: Result) -> Mapping[str, Json]:
    plain: dict[str, Json] = msgspec.to_builtins(result)
    return plain


def _typed(result: Result, kind: type[R]) -> R:
    if not isinstance(result, kind):
        raise _another()
    return result


def _read(recorded: "asyncio.Future[tuple[StoredEvent, ...]]") -> None:
    """Let asyncio not complain of a failure that changes nothing."""
    if not recorded.cancelled():
        recorded.exception()
