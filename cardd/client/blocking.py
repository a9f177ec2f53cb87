"""A client for scripts and tills: one thread, one socket, no event loop.

`Client` is one connection; `Watch` is one subscription over as many connections as it takes.
"""

import os
import socket
import time
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import Self, TypeVar

from cardd.client.address import connected, socket_path, unreachable
from cardd.client.errors import ExpelledError, UnreachableError
from cardd.client.messages import Answer, Arrival, Beat, Numbering, typed, understand
from cardd.client.resume import Attempts, Place, Reconnect, is_passing
from cardd.wire.base import Params
from cardd.wire.events import EventsSubscribeParams, EventsSubscribeResult
from cardd.wire.methods import EVENTS_SUBSCRIBE, SESSION_HELLO, Signature
from cardd.wire.rpc import LineSplitter
from cardd.wire.session import HelloParams

P = TypeVar("P", bound=Params)
R = TypeVar("R")

_CHUNK = 64 * 1024
ANSWER_S = 30.0
"""How long an answer may take, besides the time that the request itself asks to wait."""


class Client:
    """One connection. Not for several threads; open one for each.

    Calls raise CallError (the daemon's refusal), UnreachableError (it has gone) and ProtocolError.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._numbering = Numbering()
        self._splitter = LineSplitter()
        self._lines: deque[bytes] = deque()
        self._arrivals: deque[Arrival] = deque()
        self.cursors: dict[str, str] = {}
        """The newest cursor of each subscription."""

    @classmethod
    def connect(cls, path: str | os.PathLike[str] | None = None, *, program: str | None = None) -> Self:
        """Connect to the path, else CARDD_SOCKET, else the default, and say the program's name where one is given.

        Raises UnreachableError with the remedy; TimeoutError, CallError and ProtocolError from the greeting.
        """
        where = socket_path(path)
        try:
            sock = connected(where)
        except OSError as error:
            raise unreachable(where, error) from None
        client = cls(sock)
        if program is not None:
            try:
                client.call(SESSION_HELLO, HelloParams(client=program))
            except BaseException:
                client.close()
                raise
        return client

    def call(self, signature: Signature[P, R], params: P, *, wait_s: float = 0) -> R:
        """Ask and return the typed result; `wait_s` is the time that the parameters ask the daemon to wait."""
        return typed(self.call_raw(signature.name, params, wait_s=wait_s), signature.result)

    def call_raw(self, method: str, params: Params, *, wait_s: float = 0) -> bytes:
        """Ask and return the result's JSON as it came. Events that arrive meanwhile are kept for `events`."""
        identity, line = self._numbering.request(method, params)
        deadline = time.monotonic() + ANSWER_S + wait_s
        try:
            self._sock.settimeout(ANSWER_S)
            self._sock.sendall(line)
        except OSError:
            raise UnreachableError("the daemon has closed the connection. Connect again") from None
        while True:
            message = understand(self._line(deadline))
            if isinstance(message, Answer) and message.id == identity:
                return message.raw()
            self._keep(message)

    def subscribe(self, params: EventsSubscribeParams) -> EventsSubscribeResult:
        """Begin a subscription; its events come out of `events`."""
        result = self.call(EVENTS_SUBSCRIBE, params)
        self.cursors.setdefault(result.subscription, result.cursor)
        return result

    def events(self, timeout: float | None = None) -> Iterator[Arrival]:
        """Yield events of all subscriptions, for ever, or until so many seconds from now have passed."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            while self._arrivals:
                yield self._arrivals.popleft()
            try:
                self._keep(understand(self._line(deadline)))
            except TimeoutError:
                return

    @property
    def kept(self) -> int:
        """Return how many events have come that `events` has not handed out yet."""
        return len(self._arrivals)

    def close(self) -> None:
        """Disconnect."""
        self._sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _keep(self, message: object) -> None:
        match message:
            case Arrival():
                self.cursors[message.subscription] = message.cursor
                self._arrivals.append(message)
            case Beat():
                self.cursors[message.subscription] = message.cursor
            case _:
                pass

    def _line(self, deadline: float | None) -> bytes:
        """Return the next line. Raises TimeoutError at the deadline, UnreachableError at the end of the stream."""
        while not self._lines:
            self._sock.settimeout(None if deadline is None else max(deadline - time.monotonic(), 0.001))
            self._lines.extend(self._splitter.feed(self._received()))
        return self._lines.popleft()

    def _received(self) -> bytes:
        try:
            chunk = self._sock.recv(_CHUNK)
        except ConnectionError:
            chunk = b""
        if not chunk:
            raise UnreachableError("the daemon has closed the connection. Connect again")
        return chunk


class Watch:
    """One subscription that outlives connections and restarts of the daemon: no event is lost, none comes twice.

    Not for several threads. Making it raises what `Client.connect` and `Client.subscribe` raise; later losses of the
    connection are mended as `reconnect` says. CallError(CURSOR_GONE) says that the daemon no longer has what follows.
    """

    def __init__(
        self,
        params: EventsSubscribeParams,
        *,
        path: str | os.PathLike[str] | None = None,
        program: str | None = None,
        reconnect: Reconnect | None = None,
    ) -> None:
        self._path = path
        self._program = program
        self._attempts = Attempts(reconnect or Reconnect())
        self._place = Place(params)
        self._name = ""
        self._client: Client | None = None
        self.begun: EventsSubscribeResult = self._connect()
        """What the daemon answered to the first subscription: with a snapshot, where it begins now."""

    @property
    def cursor(self) -> str:
        """Return the place of the last event that `events` handed out, or of a newer one that is not wanted."""
        self._move_on()
        return self._place.cursor or self.begun.cursor

    def events(self, timeout: float | None = None) -> Iterator[Arrival]:
        """Yield events, for ever, or until so many seconds from now have passed."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (client := self._live(deadline)) is not None:
            try:
                yield from self._from(client, deadline)
            except (UnreachableError, ExpelledError) as error:
                self._lose(client, error)
            if client is self._client:
                return

    def call(self, signature: Signature[P, R], params: P, *, wait_s: float = 0) -> R:
        """Ask on this watch's connection, again on the next one where it is lost: for what may be asked twice."""
        while True:
            client = self.connection()
            try:
                return client.call(signature, params, wait_s=wait_s)
            except (UnreachableError, ExpelledError) as error:
                self._lose(client, error)

    def connection(self) -> Client:
        """Return the connection as it is now, made again where it was lost. It may be lost at any time."""
        client = None
        while client is None:
            client = self._live(None)
        return client

    def close(self) -> None:
        """Disconnect."""
        if self._client is not None:
            self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _from(self, client: Client, deadline: float | None) -> Iterator[Arrival]:
        left = None if deadline is None else max(deadline - time.monotonic(), 0)
        for arrival in client.events(left):
            if self._place.take(arrival):
                yield arrival
            # what it still holds comes again on the connection that a call has made instead of it
            if client is not self._client:
                return

    def _move_on(self) -> None:
        """Take the place of the last beat, unless events wait that lie before it."""
        if self._client is not None and not self._client.kept:
            self._place.moved(self._client.cursors[self._name])

    def _lose(self, client: Client, error: Exception) -> None:
        """Give a connection up. Raises the error where another one would not help."""
        client.close()
        if client is self._client:
            self._move_on()
            self._client = None
        if not is_passing(error):
            raise error
        self._attempts.failed(error, time.monotonic())

    def _live(self, deadline: float | None) -> Client | None:
        """Return the connection, made again where it was lost; None when that takes until the deadline."""
        while self._client is None:
            pause = self._attempts.pause_s()
            left = pause if deadline is None else deadline - time.monotonic()
            time.sleep(max(min(pause, left), 0))
            if left < pause:
                return None
            try:
                self._connect()
            except (UnreachableError, ExpelledError, TimeoutError) as error:
                if not is_passing(error):
                    raise
                self._attempts.failed(error, time.monotonic())
        return self._client

    def _connect(self) -> EventsSubscribeResult:
        client = Client.connect(self._path, program=self._program)
        try:
            begun = client.subscribe(self._place.params())
        except BaseException:
            client.close()
            raise
        self._place.begun(begun)
        self._name, self._client = begun.subscription, client
        self._attempts.connected(time.monotonic())
        return begun
