"""A subscriber of the socket that comes late, breaks off and goes on by its cursor; it hears what is on record."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from cardd.client.aio import Client
from cardd.client.errors import UnreachableError
from cardd.journal.cursor import decode
from cardd.journal.events import StoredEvent
from cardd.journal.store import Journal
from cardd.wire.events import NOW, Event, EventsSubscribeParams, short_type

_PATIENCE_S: Final = 5.0
_A_MOMENT_S: Final = 0.02
_MOST: Final = 1_000_000


class Follower:
    """One subscriber over all its connections. `after` is where its stream begins, `kinds` which types it wants."""

    def __init__(self, socket: Path, after: str, kinds: str = "*") -> None:
        self.heard = 0
        """How many events it has taken notice of."""
        self._socket = socket
        self._kinds = kinds
        self._cursor = after
        self._begins: int | None = None
        self._client: Client | None = None

    async def listen(self, journal: Journal, most: int = _MOST) -> None:
        """Take notice of what is on record now, or of so many events of it; connect again where that is needed.

        Raises AssertionError for an event that is not the next one of the journal's, and where one does not come.
        """
        await self._connect(journal)
        due = await self._due(journal)
        for expected in due[self.heard : self.heard + most]:
            event = await self._next()
            if event is None:
                return
            told = _told(event)
            assert told == _stored(expected), f"{told[:2]} instead of {expected.sequence} {expected.type}"
            self.heard += 1

    async def listen_to_the_end(self, journal: Journal) -> None:
        """Take notice of everything there is. Raises AssertionError where there is less or more."""
        await self.listen(journal)
        if self._client is None:
            # the daemon that it listened to is gone, and there is another one
            await self.listen(journal)
        due = await self._due(journal)
        assert self.heard == len(due), f"heard {self.heard} of {len(due)}"
        if self._client is not None:
            try:
                more = await asyncio.wait_for(anext(self._client.events()), _A_MOMENT_S)
            except (TimeoutError, UnreachableError):
                return
            raise AssertionError(f"{more.event.sequence} came again")

    async def break_off(self) -> None:
        """Be gone, with whatever was sent and not taken notice of."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _connect(self, journal: Journal) -> None:
        if self._client is not None:
            return
        client = self._client = await Client.connect(self._socket)
        begun = await client.subscribe(EventsSubscribeParams(after=self._cursor, types=[self._kinds]))
        if self._begins is None:
            self._begins = decode(begun.cursor, journal.stream)
        if self._cursor == NOW:
            # before the first event there is nothing else to go on by
            self._cursor = begun.cursor

    async def _next(self) -> Event | None:
        assert self._client is not None
        try:
            arrival = await asyncio.wait_for(anext(self._client.events()), _PATIENCE_S)
        except UnreachableError:
            await self.break_off()
            return None
        self._cursor = arrival.cursor
        return arrival.event

    async def _due(self, journal: Journal) -> Sequence[StoredEvent]:
        assert self._begins is not None
        stored = await journal.read(self._begins, _MOST)
        return [one for one in stored if fnmatchcase(one.type, self._kinds)]


_Fact = tuple[int, str, str, str, str | None, str | None, str | None, object]


def _told(event: Event) -> _Fact:
    kind, data = short_type(event.type), _without_sentences(event.data)
    who = (event.subject, event.correlationid, event.insertion)
    return (int(event.sequence), kind, event.id, event.time, *who, data)


def _stored(event: StoredEvent) -> _Fact:
    data = _without_sentences(json.loads(event.data))
    who = (event.subject, event.correlation, event.insertion)
    return (event.sequence, event.type, event.id, event.time, *who, data)


def _without_sentences(value: object) -> object:
    """Leave out what is put in words only when it is delivered."""
    if isinstance(value, Mapping):
        return {key: _without_sentences(item) for key, item in value.items() if key != "text"}
    return [_without_sentences(item) for item in value] if isinstance(value, list) else value
