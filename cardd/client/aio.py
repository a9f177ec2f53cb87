"""A client for programs with an asyncio event loop: calls side by side, events as an asynchronous iterator."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self, TypeVar

from cardd.client.address import socket_path, unreachable
from cardd.client.errors import CallError, ProtocolError, UnreachableError
from cardd.client.messages import Answer, Arrival, Beat, Numbering, typed, understand
from cardd.wire.base import Params
from cardd.wire.events import EventsSubscribeParams, EventsSubscribeResult
from cardd.wire.methods import EVENTS_SUBSCRIBE, Signature
from cardd.wire.rpc import LINE_BYTES

P = TypeVar("P", bound=Params)
R = TypeVar("R")

_Failure = CallError | UnreachableError | ProtocolError


class Client:
    """One connection. Any number of calls may be under way; cancelling one does not undo what it asked for.

    Calls and `events` raise CallError (the daemon's refusal), UnreachableError (it has gone) and ProtocolError.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._numbering = Numbering()
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._arrivals: asyncio.Queue[Arrival | None] = asyncio.Queue()
        self._failure: _Failure | None = None
        self.cursors: dict[str, str] = {}
        """The newest cursor of each subscription."""
        self._receiving = asyncio.create_task(self._receive())

    @classmethod
    async def connect(cls, path: str | os.PathLike[str] | None = None) -> Self:
        """Connect to the path, else CARDD_SOCKET, else the default. Raises UnreachableError with the remedy."""
        where = socket_path(path)
        try:
            reader, writer = await asyncio.open_unix_connection(os.fspath(where), limit=LINE_BYTES + 1)
        except OSError as error:
            raise unreachable(where, error) from None
        return cls(reader, writer)

    async def call(self, signature: Signature[P, R], params: P) -> R:
        """Ask and return the typed result. Put a time limit around it with `asyncio.timeout`."""
        if self._failure is not None:
            raise self._failure
        identity, line = self._numbering.request(signature.name, params)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[identity] = answer
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
            yield arrival
        # for whoever else iterates
        self._arrivals.put_nowait(None)
        raise self._failure or UnreachableError("the connection was closed")

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
        except (CallError, ProtocolError) as error:
            self._fail(error)
        except ValueError:
            self._fail(ProtocolError("the daemon sent a line that is too long"))
        except ConnectionError:
            pass
        self._fail(UnreachableError("the daemon has closed the connection. Connect again"))

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


def _settle(waiting: asyncio.Future[bytes], answer: Answer) -> None:
    if answer.error is not None:
        waiting.set_exception(answer.error)
    else:
        waiting.set_result(answer.raw())
