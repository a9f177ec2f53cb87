"""The door: connections are taken as they come, but never so many that nothing else is done."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Coroutine
from typing import Final

import structlog

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

_A_SECOND: Final = 400.0
"""How many connections are taken in a second: a third of the loop's time, for what one of them costs."""

_AT_ONCE: Final = 64.0
"""How many may come at once, after a while without: all the clients of a counter, when the daemon was restarted."""

_PAUSE_S: Final = 0.02
"""How long those wait that are too many; they wait in the kernel's queue."""

_OPENING: Final = 256
"""So many may be about to be served. That takes a moment here, and a handshake with TLS."""

_HANDSHAKE_S: Final = 5.0

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[object, object, None]]


class Door:
    """Takes connections from a listening socket, which becomes its own, and has each served. Loop thread only."""

    def __init__(self, listening: socket.socket, serve: Serve, tls: ssl.SSLContext | None = None) -> None:
        """`tls` has clients speak TLS before they are served."""
        self._listening = listening
        self._serve = serve
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._left = _AT_ONCE
        self._since = self._loop.time()
        self._pause: asyncio.TimerHandle | None = None
        self._opening: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Begin to take connections."""
        self._pause = None
        self._loop.add_reader(self._listening, self._take)

    def close(self) -> None:
        """Take no more, and close the socket. May be called again."""
        if self._listening.fileno() < 0:
            return
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._listening)
        self._listening.close()

    def _take(self) -> None:
        now = self._loop.time()
        self._left = min(self._left + (now - self._since) * _A_SECOND, _AT_ONCE)
        self._since = now
        try:
            while self._left >= 1:
                client, _ = self._listening.accept()
                self._left -= 1
                self._begin(client)
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:
            # no descriptor is left, say: those that are served give theirs back
            _log.warning("connections cannot be taken", why=error.strerror)
        self._loop.remove_reader(self._listening)
        self._pause = self._loop.call_later(_PAUSE_S, self.open)

    def _begin(self, client: socket.socket) -> None:
        if len(self._opening) >= _OPENING:
            client.close()
            return
        client.setblocking(False)
        task = self._loop.create_task(self._open_to(client))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open_to(self, client: socket.socket) -> None:
        def protocol() -> asyncio.StreamReaderProtocol:
            return asyncio.StreamReaderProtocol(asyncio.StreamReader(loop=self._loop), self._serve, loop=self._loop)

        with contextlib.suppress(OSError):
            await self._loop.connect_accepted_socket(
                protocol, client, ssl=self._tls, ssl_handshake_timeout=None if self._tls is None else _HANDSHAKE_S
            )
