"""A client for programs with an asyncio event loop: calls side by side, events as an asynchronous iterator.

`Client` is one connection; `Watch` is one subscription over as many connections as it takes.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

from cardd.client.address import connected, socket_path, unreachable
from cardd.client.errors import CallError, ExpelledError, ProtocolError, UnreachableError
from cardd.client.messages import Answer, Arrival, Beat, Numbering, typed, understand
from cardd.client.resume import Attempts, Place, Reconnect, is_passing
from cardd.wire.base import Params
from cardd.wire.events import EventsSubscribeParams, EventsSubscribeResult
from cardd.wire.methods import EVENTS_SUBSCRIBE, SESSION_HELLO, Signature
from cardd.wire.rpc import LINE_BYTES
from cardd.wire.session import HelloParams

P = TypeVar("P", bound=Params)
R = TypeVar("R")

_GREETING_S = 30.0
"""How long a daemon that comes back may take for its first answers."""

_KEPT_MOST = 10_000
"""How many events may wait to be handed out before no more are read: the daemon then sees a client that is too slow."""

_Failure = CallError | UnreachableError | ProtocolError


class Client:
    """One connection. Any number of calls may be under way; cancelling one does not undo what it asked for.

    Whoever subscribes takes `events`: with ten thousand of them left standing it reads on for answers only, and the
    daemon sends it away as too slow.

    Calls and `events` raise CallError (the daemon's refusal), UnreachableError (it has gone) and ProtocolError.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._numbering = Numbering()
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._arrivals: asyncio.Queue[Arrival | None] = asyncio.Queue()
        self._wanted = asyncio.Event()
        self._failure: _Failure | None = None
        self.cursors: dict[str, str] = {}
        """The newest cursor of each subscription."""
        self._receiving = asyncio.create_task(self._receive())

    @classmethod
    async def connect(cls, path: str | os.PathLike[str] | None = None, *, program: str | None = None) -> Self:
        """Connect to the path, else CARDD_SOCKET, else the default, and say the program's name where one is given.

        Raises UnreachableError with the remedy; CallError and ProtocolError from the greeting.
        """
        where = socket_path(path)
        try:
            sock = await asyncio.to_thread(connected, where)
            reader, writer = await asyncio.open_unix_connection(sock=sock, limit=LINE_BYTES + 1)
        except OSError as error:
            raise unreachable(where, error) from None
        client = cls(reader, writer)
        if program is not None:
            try:
                await client.call(SESSION_HELLO, HelloParams(client=program))
            except BaseException:
                await client.close()
                raise
        return client

    async def call(self, signature: Signature[P, R], params: P) -> R:
        """Ask and return the typed result. Put a time limit around it with `asyncio.timeout`."""
        if self._failure is not None:
            raise self._failure
        identity, line = self._numbering.request(signature.name, params)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[identity] = answer
        self._wanted.set()
        try:
            self._writer.write(line)
            with contextlib.suppress(ConnectionError):
                # whoever reads notices too, and has the better error: the daemon's last words
                await self._writer.drain()
            return typed(await answer, signature.result)
        finally:
            del self._waiting[identity]

    async def subscribe(self, params: EventsSubscribeParams) -> EventsSubscribeResult:
        """Begin a subscription; its events come out of `events`."""
        result = await self.call(EVENTS_SUBSCRIBE, params)
        self.cursors.setdefault(result.subscription, result.cursor)
        return result

    async def events(self) -> AsyncIterator[Arrival]:
        """Yield events of all subscriptions until the connection ends, which raises why."""
        while (arrival := await self._arrivals.get()) is not None:
            self._wanted.set()
            yield arrival
        # for whoever else iterates
        self._arrivals.put_nowait(None)
        raise self._failure or UnreachableError("the connection was closed")

    @property
    def kept(self) -> int:
        """Return how many events have come that `events` has not handed out yet."""
        return self._arrivals.qsize() - (self._failure is not None)

    async def close(self) -> None:
        """Disconnect."""
        self._receiving.cancel()
        self._fail(UnreachableError("the connection was closed"))
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _receive(self) -> None:
        try:
            # what stands before the end without a newline was torn off
            while (line := await self._reader.readline()).endswith(b"\n"):
                self._sort(line)
                await self._room()
        except (CallError, ProtocolError) as error:
            self._fail(error)
        except ValueError:
            self._fail(ProtocolError("the daemon sent a line that is too long"))
        except ConnectionError:
            pass
        self._fail(UnreachableError("the daemon has closed the connection. Connect again"))

    async def _room(self) -> None:
        """Wait while too many events are kept and nobody waits for an answer, which may stand behind more of them."""
        while self.kept >= _KEPT_MOST and not self._waiting:
            self._wanted.clear()
            await self._wanted.wait()

    def _sort(self, line: bytes) -> None:
        match understand(line):
            case Answer() as answer:
                waiting = self._waiting.get(answer.id)
                if waiting is not None and not waiting.done():
                    _settle(waiting, answer)
            case Arrival() as arrival:
                self.cursors[arrival.subscription] = arrival.cursor
                self._arrivals.put_nowait(arrival)
            case Beat() as beat:
                self.cursors[beat.subscription] = beat.cursor
            case None:
                pass

    def _fail(self, failure: _Failure) -> None:
        """Take the first failure as the connection's end, and tell everybody who waits."""
        if self._failure is not None:
            return
        self._failure = failure
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(failure)
        self._arrivals.put_nowait(None)


Dial = Callable[[], Awaitable[Client]]
"""Makes a connection."""


class Watch:
    """One subscription that outlives connections and restarts of the daemon: no event is lost, none comes twice.

    `begin` one. Losses of the connection are mended as its `reconnect` says. CallError(CURSOR_GONE) says that the
    daemon no longer has what follows.
    """

    def __init__(self, begun: EventsSubscribeResult, client: Client, place: Place, dial: Dial, how: Reconnect) -> None:
        self.begun = begun
        """What the daemon answered to the first subscription: with a snapshot, where it begins now."""
        self._client: Client | None = client
        self._name = begun.subscription
        self._place = place
        self._dial = dial
        self._attempts = Attempts(how)
        self._attempts.connected(time.monotonic())
        self._making = asyncio.Lock()
        self._closed = False

    @classmethod
    async def begin(
        cls,
        params: EventsSubscribeParams,
        *,
        path: str | os.PathLike[str] | None = None,
        program: str | None = None,
        reconnect: Reconnect | None = None,
    ) -> Self:
        """Connect and subscribe. Raises what `Client.connect` and `Client.subscribe` raise."""
        place, dial = Place(params), partial(Client.connect, path, program=program)
        client, begun = await _subscribed(dial, place)
        return cls(begun, client, place, dial, reconnect or Reconnect())

    @property
    def cursor(self) -> str:
        """Return the place of the last event that `events` handed out, or of a newer one that is not wanted."""
        self._move_on()
        return self._place.cursor or self.begun.cursor

    async def events(self) -> AsyncIterator[Arrival]:
        """Yield events for ever. One task at a time."""
        while True:
            client = await self.connection()
            try:
                async for arrival in client.events():
                    # what it still holds comes again on the connection that a call has made instead of it
                    if client is not self._client:
                        break
                    if self._place.take(arrival):
                        yield arrival
            except (UnreachableError, ExpelledError) as error:
                await self._lose(client, error)

    async def call(self, signature: Signature[P, R], params: P) -> R:
        """Ask on this watch's connection, again on the next one where it is lost: for what may be asked twice."""
        while True:
            client = await self.connection()
            try:
                return await client.call(signature, params)
            except (UnreachableError, ExpelledError) as error:
                await self._lose(client, error)

    async def connection(self) -> Client:
        """Return the connection as it is now, made again where it was lost. It may be lost at any time."""
        async with self._making:
            while self._client is None:
                await asyncio.sleep(self._attempts.pause_s())
                try:
                    async with asyncio.timeout(_GREETING_S):
                        self._client, begun = await _subscribed(self._dial, self._place)
                except (UnreachableError, ExpelledError, TimeoutError) as error:
                    self._mend(error)
                else:
                    self._name = begun.subscription
                    self._attempts.connected(time.monotonic())
            return self._client

    async def close(self) -> None:
        """Disconnect for good."""
        self._closed = True
        if self._client is not None:
            await self._client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _move_on(self) -> None:
        """Take the place of the last beat, unless events wait that lie before it."""
        if self._client is not None and not self._client.kept:
            self._place.moved(self._client.cursors[self._name])

    async def _lose(self, client: Client, error: Exception) -> None:
        """Give a connection up, unless another one stands for it already."""
        try:
            if client is self._client:
                self._move_on()
                self._client = None
                self._mend(error)
        finally:
            await client.close()

    def _mend(self, error: Exception) -> None:
        """Note a failure. Raises it where another connection would not help."""
        if self._closed or not is_passing(error):
            raise error
        self._attempts.failed(error, time.monotonic())


async def _subscribed(dial: Dial, place: Place) -> tuple[Client, EventsSubscribeResult]:
    """Connect and subscribe from a place on."""
    client = await dial()
    try:
        begun = await client.subscribe(place.params())
    except BaseException:
        await client.close()
        raise
    place.begun(begun)
    return client, begun


def _settle(waiting: asyncio.Future[bytes], answer: Answer) -> None:
    if answer.error is not None:
        waiting.set_exception(answer.error)
    else:
        waiting.set_result(answer.raw())
