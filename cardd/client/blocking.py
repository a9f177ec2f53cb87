"""A client for scripts and tills: one thread, one socket, no event loop."""

import os
import socket
import time
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import Self, TypeVar

from cardd.client.address import socket_path, unreachable
from cardd.client.errors import UnreachableError
from cardd.client.messages import Answer, Arrival, Beat, Numbering, typed, understand
from cardd.wire.base import Params
from cardd.wire.events import EventsSubscribeParams, EventsSubscribeResult
from cardd.wire.methods import EVENTS_SUBSCRIBE, Signature
from cardd.wire.rpc import LineSplitter

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
    def connect(cls, path: str | os.PathLike[str] | None = None) -> Self:
        """Connect to the path, else CARDD_SOCKET, else the default. Raises UnreachableError with the remedy."""
        where = socket_path(path)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(ANSWER_S)
            sock.connect(os.fspath(where))
        except OSError as error:
            sock.close()
            raise unreachable(where, error) from None
        return cls(sock)

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
