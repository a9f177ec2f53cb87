"""The server: takes connections on a Unix stream socket and lets each be served."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import structlog

from cardd.api.accepting import Door
from cardd.api.audit import Audit
from cardd.api.connection import Connection
from cardd.api.feed import Feed
from cardd.api.method import Office
from cardd.api.methods import METHODS
from cardd.api.outbox import Outbox
from cardd.api.peer import Peer, peer_of
from cardd.api.rights import Rights
from cardd.api.services import Limits, Services
from cardd.api.session import Session
from cardd.api.shares import Shares
from cardd.api.sockets import Listening, left_nothing
from cardd.base.errors import CarddError
from cardd.wire import rpc

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

_GRACE_S: Final = 0.5
_DEFAULTS: Final = Limits()

_Serve = Callable[["asyncio.Task[None]", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Serves a listening socket until it is closed. Loop thread only."""

    def __init__(self, services: Services, rights: Rights, limits: Limits = _DEFAULTS) -> None:
        self._rights = rights
        self._limits = limits
        self._shares = Shares(limits)
        feed = Feed(
            services.journal,
            services.delivery,
            ring_events=limits.ring_events,
            page_events=limits.page_events,
        )
        self._office = Office(services, limits, Audit(services.journal, services.clock), feed)
        self._connections: dict[asyncio.Task[None], Connection | None] = {}
        self._listening: Listening | None = None
        self._door: Door | None = None

    async def serve(self, listening: Listening) -> None:
        """Begin to take connections, and return."""
        listening.sock.setblocking(False)
        self._listening = listening
        self._door = Door(listening.sock, self._accept)
        self._door.open()

    def follow(self, rights: Rights) -> None:
        """Go by other rights from now on. Whoever loses one is sent away, and may come again with what is left."""
        self._rights = rights
        for connection in self._connections.values():
            if connection is not None:
                connection.follow(rights)

    async def serve_as(self, sock: socket.socket, peer: Peer) -> None:
        """Serve a client for whom a gateway of this process vouches, on a connected Unix socket, until it has ended."""
        reader, writer = await asyncio.open_unix_connection(sock=sock)
        await self._hold(reader, writer, partial(self._serve_peer, peer))

    async def refuse(self, client: str, method: str, right: str) -> None:
        """Put on record whom a gateway did not let in, and for want of what; once a minute, with the number."""
        await self._office.audit.denied(client, method, right)

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    async def close(self, grace_s: float = _GRACE_S) -> None:
        """Take no more connections, let subscriptions send what is committed, and end all, each within the grace."""
        if self._door is not None:
            self._door.close()
        if self._listening is not None:
            self._listening.remove()
        self._office.feed.close()
        await asyncio.gather(*(one.stop(grace_s) for one in self._connections.values() if one is not None))
        if self._connections:
            _, late = await asyncio.wait(self._connections, timeout=grace_s)
            for task in late:
                task.cancel()
        await self._office.audit.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._hold(reader, writer, self._serve)

    async def _hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, serve: _Serve) -> None:
        task = asyncio.current_task()
        if task is None:
            return
        self._connections[task] = None
        try:
            await serve(task, reader, writer)
        except ConnectionError:
            _log.debug("a client left at once")
        finally:
            del self._connections[task]
            if not writer.is_closing():
                writer.transport.abort()

    async def _serve(
        self, task: "asyncio.Task[None]", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        sock = writer.get_extra_info("socket")
        if left_nothing(sock):
            # many may come and go while they wait to be taken: who they were is not asked
            return
        await self._serve_peer(await peer_of(sock), task, reader, writer)

    async def _serve_peer(
        self, peer: Peer, task: "asyncio.Task[None]", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            share = self._shares.join(peer.uid)
        except CarddError as busy:
            await self._turn_away(writer, busy)
            return
        try:
            session = Session(peer, self._rights.granted(peer), share)
            log = _log.bind(user=peer.user, pid=peer.pid)
            log.debug("a client has connected")
            connection = Connection(reader, writer, session, self._office, METHODS)
            self._connections[task] = connection
            await connection.serve()
            log.debug("a client has gone")
        finally:
            self._shares.leave(peer.uid)

    async def _turn_away(self, writer: asyncio.StreamWriter, error: CarddError) -> None:
        outbox = Outbox(writer, slow_s=self._limits.slow_s, buffer_bytes=self._limits.buffer_bytes)
        await outbox.close(rpc.failure(None, rpc.Code.REFUSED, error), grace_s=_GRACE_S)
