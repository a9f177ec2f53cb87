"""What clients ask to be done once: a request's answer is kept, so that asking again does nothing again."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec

from cardd.base.errors import CarddError, Fact
from cardd.base.reasons import Reason
from cardd.journal.events import DeedRow, Json, NewEvent
from cardd.journal.store import Journal
from cardd.wire.base import Result

R = TypeVar("R", bound=Result)

_RESULT: Final = "result"
_ERROR: Final = "error"


class _Refused(msgspec.Struct):
    """The card's word on a deed, as it is kept."""

    reason: Reason
    detail: str
    facts: dict[str, Fact]


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that a client asked for. Without a `request` it is not kept.

    `about` is what else must be the same for it to be the same deed.
    """

    client: str
    method: str
    request: str | None
    about: Json = None


Work = Callable[[], Awaitable[tuple[R, tuple[NewEvent, ...]]]]
"""Does a deed, and returns its result and the events that tell of it."""


class Deeds:
    """Does each deed once, and puts it on record in one commit with what the record says of it. Loop thread only.

    Kept are results, and refusals that are the card's own word: a wrong PIN is not tried a second time by asking again.
    What failed for another reason is done again when it is asked for again.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._running: dict[tuple[str, str], tuple[Deed, asyncio.Task[Result]]] = {}
        self._tasks: set[asyncio.Task[Result]] = set()

    async def once(
        self, deed: Deed, kind: type[R], work: Work[R], told: Callable[[CarddError], tuple[NewEvent, ...]]
    ) -> R:
        """Return the deed's result, doing it unless that was done. `told` gives the events of a refusal.

        It goes on to its end when the caller is gone. Raises CarddError: INVALID for a request that was another deed,
        what `work` raises, and what the journal raises.
        """
        if deed.request is None:
            return _typed(await asyncio.shield(self._begin(self._do(deed, work, told))), kind)
        key = (deed.client, deed.request)
        known = self._running.get(key)
        if known is None:
            known = self._running[key] = (deed, self._begin(self._recall(deed, kind, work, told)))
            known[1].add_done_callback(lambda _: self._running.pop(key, None))
        if known[0] != deed:
            raise _another()
        return _typed(await asyncio.shield(known[1]), kind)

    def close(self) -> None:
        """Give up what is under way."""
        for task in self._tasks:
            task.cancel()

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

    async def _recall(
        self, deed: Deed, kind: type[R], work: Work[R], told: Callable[[CarddError], tuple[NewEvent, ...]]
    ) -> Result:
        row = await self._journal.deed(deed.client, deed.request or "")
        if row is None:
            return await self._do(deed, work, told)
        if row.method != deed.method or row.data.get("about") != deed.about:
            raise _another()
        if _ERROR in row.data:
            refused = msgspec.convert(row.data[_ERROR], _Refused)
            raise CarddError(refused.reason, refused.detail, retry_after_ms=None, **refused.facts)
        return msgspec.convert(row.data[_RESULT], kind)

    async def _do(self, deed: Deed, work: Work[R], told: Callable[[CarddError], tuple[NewEvent, ...]]) -> Result:
        try:
            result, events = await work()
        except CarddError as error:
            own_word = "status_word" in error.facts
            refused = _Refused(error.reason, error.detail, dict(error.facts))
            await self._keep(deed, told(error), {_ERROR: msgspec.to_builtins(refused)} if own_word else None)
            raise
        await self._keep(deed, events, {_RESULT: msgspec.to_builtins(result)})
        return result

    async def _keep(self, deed: Deed, events: tuple[NewEvent, ...], data: Mapping[str, Json] | None) -> None:
        row = None
        if data is not None and deed.request is not None:
            row = DeedRow(deed.client, deed.request, deed.method, open=False, data={**data, "about": deed.about})
        if events or row is not None:
            await self._journal.record(*events, deed=row)


def _another() -> CarddError:
    return CarddError(Reason.INVALID, "this request was another deed: give each its own", path="$.request")


def _typed(result: Result, kind: type[R]) -> R:
    if not isinstance(result, kind):
        raise _another()
    return result
