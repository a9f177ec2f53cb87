"""Subscriptions: each is a position in the stream and a filter, and a pump that sends what follows."""

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec

from cardd.api.audit import Audit, Disclosure, fields_beyond
from cardd.api.feed import Feed
from cardd.api.filters import Filter
from cardd.api.outbox import Outbox, SlowConsumerError
from cardd.api.turns import Turns
from cardd.base.clock import Clock, TimerHandle
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Struct
from cardd.journal import cursor as cursors
from cardd.journal.events import StoredEvent
from cardd.wire import rpc
from cardd.wire.base import Json
from cardd.wire.events import HEARTBEAT, HeartbeatParams


class Audience(Struct, frozen=True):
    """Who listens, and what for: with a purpose, events are delivered whole and each disclosure is on record first."""

    client: str
    purpose: str | None = None


class Delivering(Struct, frozen=True):
    """What a pump works with: where events come from, where lines go, where disclosures are put on record."""

    feed: Feed
    outbox: Outbox
    audit: Audit
    turns: Turns
    clock: Clock
    heartbeat_s: float


class _Data(msgspec.Struct):
    data: dict[str, Json]


_DATA: Final = msgspec.json.Decoder(_Data)


class Subscription:
    """A cursor with a pump. It holds no queue: what it has not sent yet stays in the ring or in the journal."""

    def __init__(
        self,
        name: str,
        channel: Delivering,
        *,
        position: int,
        wanted: Filter,
        audience: Audience,
    ) -> None:
        self.name = name
        self._channel = channel
        self._position = position
        self._wanted = wanted
        self._audience = audience
        self._beat_at = 0.0
        self._alarm: TimerHandle | None = None
        self._listening: asyncio.Future[None] | None = None
        self.pump: asyncio.Task[None] | None = None

    @property
    def cursor(self) -> str:
        """The place of the last event that was sent or passed over."""
        return self._cursor(self._position)

    def end(self) -> None:
        """Stop the pump. A line that it has begun is sent as a whole."""
        if self.pump is not None:
            self.pump.cancel()

    async def run(self) -> None:
        """Send what follows, for as long as the feed is open.

        Raises SlowConsumerError when the client does not take it in time or its place was evicted, ConnectionError.
        """
        try:
            await self._pump()
        finally:
            if self._alarm is not None:
                self._alarm.cancel()

    async def _pump(self) -> None:
        feed, clock = self._channel.feed, self._channel.clock
        self._quiet_from_now()
        while True:
            page = await self._page()
            if page:
                await self._send(page)
                if len(page) == feed.page_events:
                    # who has much to catch up with goes on when it is its turn
                    await self._channel.turns.lot()
            elif feed.closed:
                return
            else:
                await self._listen()
            if clock.monotonic() >= self._beat_at:
                await self._beat()

    async def _listen(self) -> None:
        """Return when there are more events, or when it is time for a sign of life."""
        listening = self._listening = self._channel.feed.listen(self._position)
        if self._alarm is None:
            self._set_alarm()
        try:
            await listening
        finally:
            self._listening = None
            self._channel.feed.forget(listening)

    def _set_alarm(self) -> None:
        clock = self._channel.clock
        self._alarm = clock.call_later(max(self._beat_at - clock.monotonic(), 0), self._ring_alarm)

    def _ring_alarm(self) -> None:
        # set once for many events: each of them has put the sign of life off
        self._alarm = None
        if self._channel.clock.monotonic() < self._beat_at:
            self._set_alarm()
        elif self._listening is not None and not self._listening.done():
            self._listening.set_result(None)

    async def _page(self) -> Sequence[StoredEvent]:
        try:
            return await self._channel.feed.page(self._position)
        except CarddError as error:
            if error.reason is Reason.CURSOR_GONE:
                raise SlowConsumerError from None
            raise

    async def _send(self, page: Sequence[StoredEvent]) -> None:
        lines = await self._lines(page)

        def passed() -> None:
            self._position = page[-1].sequence

        if lines:
            # moved with the lines, not before: while another's are sent, the client may be found too slow for both.
            # Nor after: should it be too slow for these, they are in its buffer before it is told so
            await self._channel.outbox.send(lines, passed)
            self._quiet_from_now()
        else:
            passed()

    async def _lines(self, page: Sequence[StoredEvent]) -> bytes:
        feed, purpose = self._channel.feed, self._audience.purpose
        if purpose is None:
            return feed.lines(self.name, self._wanted, self._position, page)
        wanted = feed.wanted(page, self._wanted)
        encoded = [feed.masked(stored) if stored.sealed is None else feed.whole(stored) for stored in wanted]
        disclosures = [
            self._disclosure(stored, purpose, feed.masked(stored), whole)
            for stored, whole in zip(wanted, encoded, strict=True)
            if stored.sealed
        ]
        await self._channel.audit.disclosed(disclosures)
        return b"".join(feed.line(self.name, stored, event) for stored, event in zip(wanted, encoded, strict=True))

    def _disclosure(self, stored: StoredEvent, purpose: str, masked: bytes, whole: bytes) -> Disclosure:
        return Disclosure(
            client=self._audience.client,
            purpose=purpose,
            method="events.subscribe",
            fields=fields_beyond(_data(masked), _data(whole)),
            subject=stored.subject,
            insertion=stored.insertion,
            correlation=stored.correlation,
        )

    async def _beat(self) -> None:
        await self._channel.outbox.send(
            rpc.notification(HEARTBEAT, HeartbeatParams(subscription=self.name, cursor=self.cursor))
        )
        self._quiet_from_now()

    def _quiet_from_now(self) -> None:
        self._beat_at = self._channel.clock.monotonic() + self._channel.heartbeat_s

    def _cursor(self, sequence: int) -> str:
        return cursors.encode(self._channel.feed.stream, sequence)


def _data(event: bytes) -> Json:
    return _DATA.decode(event).data
