"""The live end of the event stream: a bounded ring of recent events, and a bell that rings when there are more.

A subscription asks for what follows its position. The ring answers while it reaches back that far, the journal's pages
otherwise, and both hold the same committed events: there is no hand-over between history and live, so no gap.

What is the same for all who listen is made once: a page, an event's line but for the subscription's name, and the lines
of a page for all whose name and filter are the same.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Final, TypeVar

import msgspec

from cardd.api.filters import Filter, Judge
from cardd.api.services import DeliveryService, JournalService
from cardd.journal import cursor as cursors
from cardd.journal.erasing import ERASED
from cardd.journal.events import StoredEvent
from cardd.wire.events import EVENT

_REST: Final = 9.0
"""The bell is silent for so many times what its last ring kept the loop busy: events get a tenth of it."""
_FEW: Final = 8
"""With no more listeners than these there is no rest: what else the loop did meanwhile would be taken for theirs."""
_KEPT: Final = 64
"""So many pages are kept, and so many joined ones, until the next commit at the latest."""
_JOINED_BYTES: Final = 256 * 1024
"""A longer one is joined for each."""

K = TypeVar("K")
V = TypeVar("V")

_LINE: Final = f'{{"jsonrpc":"2.0","method":"{EVENT}","params":{{"subscription":'.encode()


class Ring:
    """The newest events without a hole between them."""

    def __init__(self, size: int, last: int) -> None:
        self._events: deque[StoredEvent] = deque(maxlen=size)
        self.last = last

    def append(self, stored: StoredEvent) -> None:
        """Take the next event.

        A jump in the sequence empties the ring first: pages answer for what it missed. So does an erasure: what was
        kept here may hold what is erased there.
        """
        if stored.sequence != self.last + 1 or stored.type == ERASED:
            self._events.clear()
        self._events.append(stored)
        self.last = stored.sequence

    def after(self, sequence: int, limit: int) -> list[StoredEvent] | None:
        """Return up to `limit` events that follow, an empty list at the live end, None where the ring begins later."""
        if sequence >= self.last:
            return []
        if not self._events or sequence + 1 < self._events[0].sequence:
            return None
        start = sequence + 1 - self._events[0].sequence
        return list(islice(self._events, start, start + limit))


class Feed:
    """What every subscription reads from. Loop thread only."""

    def __init__(
        self, journal: JournalService, delivery: DeliveryService, *, ring_events: int, page_events: int
    ) -> None:
        self._journal = journal
        self._delivery = delivery
        self.page_events = page_events
        self._ring = Ring(ring_events, journal.last)
        self._judge = Judge()
        self._tails: dict[int, bytes] = {}
        self._tails_most = ring_events
        self._pages: dict[int, list[StoredEvent] | None] = {}
        self._joined: dict[tuple[str, Filter, int, int], bytes] = {}
        self._reading: dict[int, asyncio.Task[list[StoredEvent]]] = {}
        self._bell = Bell()
        self._leave: Callable[[], None] = journal.subscribe(self._committed)
        self.closed = False

    @property
    def stream(self) -> str:
        """The identity of the stream."""
        return self._journal.stream

    @property
    def last(self) -> int:
        """The sequence of the newest committed event."""
        return self._ring.last

    async def page(self, after: int) -> Sequence[StoredEvent]:
        """Return the next events, none at the live end. Raises CarddError(CURSOR_GONE) where they were evicted."""
        if after not in self._pages:
            _make_room(self._pages)
            self._pages[after] = self._ring.after(after, self.page_events)
        recent = self._pages[after]
        return await self._read(after) if recent is None else recent

    def listen(self, after: int) -> asyncio.Future[None]:
        """Return what is done when there is more than `after`, or the feed closes. Hand it to `forget` in any case."""
        return self._bell.listen(rung=self._ring.last > after or self.closed)

    def forget(self, listening: asyncio.Future[None]) -> None:
        """Wake whoever listened no more."""
        self._bell.forget(listening)

    def masked(self, stored: StoredEvent) -> bytes:
        """Return the event as anybody may see it."""
        return self._delivery.event(stored, personal=False)

    def whole(self, stored: StoredEvent) -> bytes:
        """Return the event with whole personal data. Never kept: it lives as short as it can."""
        return self._delivery.event(stored, personal=True)

    def wanted(self, page: Sequence[StoredEvent], wanted: Filter) -> list[StoredEvent]:
        """Return those events of a page that a filter lets through."""
        return [stored for stored in page if self._judge.passes(wanted, stored)]

    def lines(self, subscription: str, wanted: Filter, after: int, page: Sequence[StoredEvent]) -> bytes:
        """Return the lines of the page that follows a place, as anybody may see them; nothing where none is wanted."""
        key = (subscription, wanted, after, page[-1].sequence)
        joined = self._joined.get(key)
        if joined is None:
            head = _head(subscription)
            joined = b"".join([head + self._masked_tail(stored) for stored in self.wanted(page, wanted)])
            if len(joined) <= _JOINED_BYTES:
                _make_room(self._joined)
                self._joined[key] = joined
        return joined

    def line(self, subscription: str, stored: StoredEvent, event: bytes) -> bytes:
        """Return the line of one event that was encoded for this subscription."""
        return _head(subscription) + self._tail(stored, event)

    def close(self) -> None:
        """Let subscriptions end once they have sent what is committed now."""
        self._leave()
        self.closed = True
        self._bell.ring_at_once()

    async def _read(self, after: int) -> list[StoredEvent]:
        """Read a page of the journal, once for all who wait for the same."""
        reading = self._reading.get(after)
        if reading is None:
            reading = asyncio.ensure_future(self._journal.read(after, self.page_events))
            self._reading[after] = reading
            reading.add_done_callback(lambda done: self._was_read(after, done))
        return await asyncio.shield(reading)

    def _was_read(self, after: int, done: asyncio.Task[list[StoredEvent]]) -> None:
        del self._reading[after]
        # looked at, so that asyncio does not complain: whoever wanted it may have gone
        if not done.cancelled():
            done.exception()

    def _masked_tail(self, stored: StoredEvent) -> bytes:
        tail = self._tails.get(stored.sequence)
        if tail is None:
            tail = self._tail(stored, self.masked(stored))
            while len(self._tails) >= self._tails_most:
                # the one that was encoded first
                del self._tails[next(iter(self._tails))]
            self._tails[stored.sequence] = tail
        return tail

    def _tail(self, stored: StoredEvent, event: bytes) -> bytes:
        cursor = cursors.encode(self.stream, stored.sequence).encode()
        return b',"cursor":"' + cursor + b'","event":' + event + b"}}\n"

    def _committed(self, events: Sequence[StoredEvent]) -> None:
        for stored in events:
            self._ring.append(stored)
        self._pages.clear()
        self._joined.clear()
        self._bell.ring()


class Bell:
    """Wakes all who listen. The more work that made, the longer it is silent before it rings again.

    So many listeners get few long pages rather than many short ones, and cards have the loop in between.
    """

    def __init__(self, few: int = _FEW) -> None:
        """With no more than `few` listeners it is never silent."""
        self._few = few
        self._listening: dict[asyncio.Future[None], None] = {}
        self._resting = False
        self._wanted = False

    def listen(self, *, rung: bool) -> asyncio.Future[None]:
        """Return what is done when the bell rings; `rung`: it has done so already."""
        one: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if rung:
            one.set_result(None)
        else:
            self._listening[one] = None
        return one

    def forget(self, one: asyncio.Future[None]) -> None:
        """Take one who listens off the list."""
        self._listening.pop(one, None)

    def ring(self) -> None:
        """Wake all now, or at the end of a rest."""
        self._wanted = True
        if not self._resting:
            self.ring_at_once()

    def ring_at_once(self) -> None:
        """Wake all now."""
        self._wanted = False
        woken, self._listening = self._listening, {}
        for one in woken:
            if not one.done():
                one.set_result(None)
        if not self._resting and len(woken) > self._few:
            self._resting = True
            loop = asyncio.get_running_loop()
            # those who were woken do their work in the loop's next round, before this is called in the same
            loop.call_soon(self._rest, loop, loop.time())

    def _rest(self, loop: asyncio.AbstractEventLoop, since: float) -> None:
        loop.call_later(_REST * (loop.time() - since), self._rested)

    def _rested(self) -> None:
        self._resting = False
        if self._wanted:
            self.ring_at_once()


def _make_room(kept: dict[K, V]) -> None:
    if len(kept) >= _KEPT:
        kept.clear()


def _head(subscription: str) -> bytes:
    return _LINE + msgspec.json.encode(subscription)
