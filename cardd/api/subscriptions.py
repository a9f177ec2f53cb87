"""Subscriptions: each is a position in the stream and a filter, and a pump that sends what follows."""

import asyncio
import fnmatch
from collections.abc import Sequence
from typing import Final

import msgspec

from cardd.api.audit import Audit, Disclosure, fields_beyond
from cardd.api.feed import Feed
from cardd.api.outbox import Outbox, SlowConsumerError
from cardd.base.clock import Clock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Struct
from cardd.journal import cursor as cursors
from cardd.journal.events import StoredEvent
from cardd.wire import rpc
from cardd.wire.base import Json
from cardd.wire.events import EVENT, HEARTBEAT, EventParams, HeartbeatParams, short_type, whole_type


class Filter(Struct, frozen=True):
    """Globs on an event's type (short or whole name) and on its subject; an empty row of globs passes all."""

    types: Sequence[str] = ()
    readers: Sequence[str] = ()

    def passes(self, stored: StoredEvent) -> bool:
        """Tell whether a subscriber wants the event."""
        names = (short_type(stored.type), whole_type(stored.type))
        return _fits(names, self.types) and _fits((stored.subject,), self.readers)


def _fits(names: Sequence[str], globs: Sequence[str]) -> bool:
    if not globs:
        return True
    # a reader's own name may hold brackets, which a glob would take for a set of characters
    return any(name == glob or fnmatch.fnmatchcase(name, glob) for glob in globs for name in names)


class Audience(Struct, frozen=True):
    """Who listens, and what for: with a purpose, events are delivered whole and each disclosure is on record first."""

    client: str
    purpose: str | None = None


class Delivering(Struct, frozen=True):
    """What a pump works with: where events come from, where lines go, where disclosures are put on record."""

    feed: Feed
    outbox: Outbox
    audit: Audit
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
        feed, clock = self._channel.feed, self._channel.clock
        self._quiet_from_now()
        while True:
            page = await self._page()
            if page:
                await self._send(page)
            elif feed.closed:
                return
            else:
                await feed.news(self._position, max(self._beat_at - clock.monotonic(), 0))
            if clock.monotonic() >= self._beat_at:
                await self._beat()

    async def _page(self) -> Sequence[StoredEvent]:
        try:
            return await self._channel.feed.page(self._position)
        except CarddError as error:
            if error.reason is Reason.CURSOR_GONE:
                raise SlowConsumerError from None
            raise

    async def _send(self, page: Sequence[StoredEvent]) -> None:
        wanted = [stored for stored in page if self._wanted.passes(stored)]
        encoded = await self._encoded(wanted)
        lines = [self._line(stored, event) for stored, event in zip(wanted, encoded, strict=True)]

        def passed() -> None:
            self._position = page[-1].sequence

        if lines:
            # moved with the lines, not before: while another's are sent, the client may be found too slow for both.
            # Nor after: should it be too slow for these, they are in its buffer before it is told so
            await self._channel.outbox.send(b"".join(lines), passed)
            self._quiet_from_now()
        else:
            passed()

    async def _encoded(self, wanted: Sequence[StoredEvent]) -> list[bytes]:
        feed = self._channel.feed
        if self._audience.purpose is None:
            return [feed.masked(stored) for stored in wanted]
        encoded = [feed.masked(stored) if stored.sealed is None else feed.whole(stored) for stored in wanted]
        disclosures = [
            self._disclosure(stored, self._audience.purpose, feed.masked(stored), whole)
            for stored, whole in zip(wanted, encoded, strict=True)
            if stored.sealed
        ]
        await self._channel.audit.disclosed(disclosures)
        return encoded

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

    def _line(self, stored: StoredEvent, event: bytes) -> bytes:
        params = EventParams(subscription=self.name, cursor=self._cursor(stored.sequence), event=msgspec.Raw(event))
        return rpc.notification(EVENT, params)

    def _cursor(self, sequence: int) -> str:
        return cursors.encode(self._channel.feed.stream, sequence)


def _data(event: bytes) -> Json:
    return _DATA.decode(event).data
