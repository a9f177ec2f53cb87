"""The live end of the event stream: a bounded ring of recent events, and a bell that rings when there are more.

A subscription asks for what follows its position. The ring answers while it reaches back that far, the journal's pages
otherwise, and both hold the same committed events: there is no hand-over between history and live, so no gap.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

from cardd.api.services import DeliveryService, JournalService
from cardd.journal.erasing import ERASED
from cardd.journal.events import StoredEvent


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
        self._page_events = page_events
        self._ring = Ring(ring_events, journal.last)
        self._masked: dict[int, bytes] = {}
        self._masked_most = ring_events
        self._news = asyncio.Event()
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
        recent = self._ring.after(after, self._page_events)
        if recent is not None:
            return recent
        return await self._journal.read(after, self._page_events)

    async def news(self, after: int, seconds: float) -> bool:
        """Wait until there is more than `after` or the feed closes: True; or so many seconds: False."""
        if self._ring.last > after or self.closed:
            return True
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    def masked(self, stored: StoredEvent) -> bytes:
        """Return the event as anybody may see it, encoded once for all who listen to the live end."""
        encoded = self._masked.get(stored.sequence)
        if encoded is None:
            encoded = self._delivery.event(stored, personal=False)
            while len(self._masked) >= self._masked_most:
                # the one that was encoded first
                del self._masked[next(iter(self._masked))]
            self._masked[stored.sequence] = encoded
        return encoded

    def whole(self, stored: StoredEvent) -> bytes:
        """Return the event with whole personal data. Never kept: it lives as short as it can."""
        return self._delivery.event(stored, personal=True)

    def close(self) -> None:
        """Let subscriptions end once they have sent what is committed now."""
        self._leave()
        self.closed = True
        self._ring_bell()

    def _committed(self, events: Sequence[StoredEvent]) -> None:
        for stored in events:
            self._ring.append(stored)
        self._ring_bell()

    def _ring_bell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
