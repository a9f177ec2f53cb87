"""What the readers tell, put on record in the order in which it happened, also where a disk is full for a while.

Nothing overtakes what could not be recorded: a card that came after one whose removal is told late would seem to be
taken out by it, for whoever follows the events.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import structlog
from msgspec.structs import replace

from cardd.base.clock import Clock, TimerHandle
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Struct
from cardd.desk.untold import Late, Untold
from cardd.journal.encoding import rfc3339
from cardd.journal.events import NewEvent, StoredEvent
from cardd.journal.store import Journal

log = structlog.get_logger()

Recorded = asyncio.Future[tuple[StoredEvent, ...]]

_ROOM_MAY_COME: Final = frozenset({Reason.JOURNAL_FULL, Reason.JOURNAL_UNAVAILABLE})
_TRY_AGAIN_S: Final = 1.0


class _New(Struct, frozen=True):
    """An event that was just told, and who waits for it."""

    late: Late
    recorded: Recorded


class Recording:
    """Records events, and later those for which there is no room now. Loop thread only."""

    def __init__(self, journal: Journal, *, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._writing = False
        self._waiting: list[_New] = []
        """What was told while something was on its way into the journal."""
        self._untold = Untold()
        self._trying: TimerHandle | None = None
        self._closed = False

    def close(self) -> None:
        """Keep nothing for later any more."""
        self._closed = True
        if self._trying is not None:
            self._trying.cancel()

    def record(self, event: NewEvent, then: Callable[[], None]) -> Recorded:
        """Record an event behind all that were told before it.

        The future resolves as that of `Journal.record`. It fails with CarddError too where the event is kept for later;
        `then` is called in that case, once it is on record.
        """
        late = Late(event, then)
        if not self._writing and not len(self._untold):
            recorded = self._journal.record(event)
            self._watch([_New(late, recorded)], recorded)
            return recorded
        new = _New(late, asyncio.get_running_loop().create_future())
        if self._writing:
            self._waiting.append(new)
        else:
            full = CarddError(Reason.JOURNAL_FULL, "what happened before it has to be recorded first")
            self._refused([new], full)
        return new.recorded

    def _watch(self, batch: Sequence[_New], recorded: Recorded) -> None:
        self._writing = True
        recorded.add_done_callback(partial(self._done, batch))

    def _done(self, batch: Sequence[_New], recorded: Recorded) -> None:
        """Tell those who wait, and record what has come meanwhile, in one go."""
        self._writing = False
        waiting, self._waiting = self._waiting, []
        error = _failure(recorded)
        if error is None:
            stored = () if recorded.cancelled() else recorded.result()
            for new, one in zip(batch, stored, strict=False):
                if not new.recorded.done():
                    new.recorded.set_result((one,))
        else:
            self._refused(batch, error)
        if not waiting:
            return
        if len(self._untold) and error is not None:
            self._refused(waiting, error)
        else:
            self._watch(waiting, self._journal.record(*(new.late.event for new in waiting)))

    def _refused(self, batch: Sequence[_New], error: BaseException) -> None:
        """Keep what could not be recorded until there is room for it."""
        reason = _reason(error)
        # a daemon that ends leaves what happens meanwhile to the next one, which finds its readers as they are then
        tell = log.info if self._closed else log.error
        for new in batch:
            tell("reception.unrecorded", reason=str(reason))
            if not new.recorded.done():
                new.recorded.set_exception(error)
            # read, so that asyncio does not complain where nobody waits for it
            _failure(new.recorded)
        if reason in _ROOM_MAY_COME and not self._closed:
            happened = rfc3339(self._clock.now())
            self._untold.keep(_told_late(new.late, happened) for new in batch)
            self._try_later()

    # -- later

    def _try_later(self) -> None:
        if self._trying is None:
            self._trying = self._clock.call_later(_TRY_AGAIN_S, self._catch_up)

    def _catch_up(self) -> None:
        """Record what the journal has missed, as far as it makes a difference."""
        self._trying = None
        if due := self._untold.take():
            self._writing = True
            self._journal.record(*(late.event for late in due)).add_done_callback(partial(self._caught_up, due))

    def _caught_up(self, due: Sequence[Late], recorded: Recorded) -> None:
        error = _failure(recorded)
        if error is not None:
            log.info("reception.still_unrecorded", reason=str(_reason(error)), events=len(due))
            self._untold.keep(due)
            self._try_later()
        self._done((), recorded)
        if error is None:
            for late in due:
                late.then()


def _failure(recorded: Recorded) -> BaseException | None:
    return None if recorded.cancelled() else recorded.exception()


def _reason(error: BaseException) -> Reason:
    return error.reason if isinstance(error, CarddError) else Reason.INTERNAL


def _told_late(late: Late, happened: str) -> Late:
    return replace(late, event=replace(late.event, data={**late.event.data, "happened": happened}))
