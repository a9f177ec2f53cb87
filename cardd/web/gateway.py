"""The gateway: listens on loopback addresses, lets pages in, and has the socket's server serve them as its clients."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Final

import structlog
from websockets.frames import CloseCode

from cardd.api.accepting import Door
from cardd.api.faults import log_fault
from cardd.api.peer import Peer
from cardd.api.server import Server
from cardd.api.services import Limits
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.web.admission import Refusal, Request, Terms, judge, peer_of
from cardd.web.frames import GoneError, Patience, WebSocket
from cardd.web.shapes import SHAPES, Conversation, Settings
from cardd.web.speech import Inside, Lines, Shaped, Speech

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

LINES_PATH: Final = "/rpc"
"""Where the project's own messages are spoken."""

_STRANGERS: Final = 64
"""So many may be about to say what they want."""

_OPENING_S: Final = 5.0
_QUIET_S: Final = 20.0
_BACKLOG: Final = 128
_SEND_BYTES: Final = 128 * 1024
_METHOD: Final = "web.open"
_CLIENT: Final = "web"

Address = tuple[str, int]


def listen_on(addresses: Iterable[Address]) -> list[socket.socket]:
    """Listen on addresses of the loopback network. Raises CarddError(INVALID) where that cannot be."""
    with contextlib.ExitStack() as stack:
        listening = [stack.enter_context(_listen(one)) for one in addresses]
        stack.pop_all()
        return listening
    raise AssertionError  # an exit stack swallows nothing here


def _listen(address: Address) -> socket.socket:
    host, port = address
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # what one page has not read yet is in memory too; whoever is taken from here has it from here
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)
        sock.bind(address)
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        detail = f"web: {host} port {port} cannot be listened on: {error.strerror}"
        raise CarddError(Reason.INVALID, detail) from None
    sock.setblocking(False)
    return sock


def tls_of(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return what shows a certificate to pages. Raises CarddError(INVALID)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ValueError) as error:
        detail = f"web: {certificate} and {key} are no certificate and its key: {error.__class__.__name__}"
        raise CarddError(Reason.INVALID, detail) from None
    return context


class Gateway:
    """Serves pages from the time when it is opened. Loop thread only."""

    def __init__(
        self,
        listening: Sequence[socket.socket],
        server: Server,
        terms: Terms,
        *,
        tls: ssl.SSLContext | None = None,
        settings: Settings,
        limits: Limits,
        quiet_s: float = _QUIET_S,
    ) -> None:
        self._listening = listening
        self._server = server
        self._terms = terms
        self._tls = tls
        self._farewell_s = limits.farewell_s
        # a page may be as slow as any client, and is then told so by the server: not cut off by this before it
        send_s = 2 * limits.slow_s + limits.farewell_s
        self._patience = Patience(limits.line_bytes, send_s, quiet_s, limits.farewell_s)
        self._speeches = _speeches(settings)
        self._doors: list[Door] = []
        self._visits: set[asyncio.Task[None]] = set()
        self._strangers: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    def open(self) -> None:
        """Begin to let pages in."""
        self._doors = [Door(sock, self._visit, self._tls) for sock in self._listening]
        for door in self._doors:
            door.open()

    def shut(self) -> None:
        """Let nobody in any more. May be called again."""
        for door in self._doors:
            door.close()
        for sock in self._listening:
            sock.close()

    async def close(self) -> None:
        """Let nobody in any more, and end: what the server has said goodbye with is sent, within a while."""
        self.shut()
        if self._visits:
            _, late = await asyncio.wait(self._visits, timeout=self._farewell_s)
            for visit in late:
                visit.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visit = asyncio.current_task()
        if visit is None:
            writer.transport.abort()
            return
        if len(self._strangers) >= _STRANGERS:
            # a browser says at once what it wants: whoever has been silent longest makes room
            self._strangers.pop(next(iter(self._strangers))).transport.abort()
        self._visits.add(visit)
        self._strangers[visit] = writer
        page = WebSocket(reader, writer, self._patience)
        try:
            let_in = await self._let_in(page)
            self._strangers.pop(visit, None)
            if let_in is not None:
                await self._serve(page, *let_in)
            await page.close()
        except (GoneError, TimeoutError, OSError):
            _log.debug("a page has gone")
        except Exception as fault:  # noqa: BLE001 - a fault of ours must not leave a page hanging
            log_fault("a page's connection failed", fault)
        finally:
            writer.transport.abort()
            self._strangers.pop(visit, None)
            self._visits.discard(visit)

    async def _let_in(self, page: WebSocket) -> tuple[Peer, Speech] | None:
        """Open the door to a page that may come in. Raises GoneError, TimeoutError."""
        async with asyncio.timeout(_OPENING_S):
            opening = await page.opening()
            request = Request(page.port, opening.path, opening.headers)
            refusal = judge(self._terms, request) or _know_the_path(self._speeches, request)
            if refusal is not None:
                await self._refuse(page, refusal, request)
            elif await page.accept(opening):
                return peer_of(request.origin), self._speeches[request.path]()
        return None

    async def _refuse(self, page: WebSocket, refusal: Refusal, request: Request) -> None:
        if refusal.missing is not None:
            _log.warning("a page was refused", why=refusal.text, origin=repr(request.origin[:100]))
            await self._server.refuse(_CLIENT, _METHOD, refusal.missing)
        await page.refuse(refusal.status, refusal.text)

    async def _serve(self, page: WebSocket, peer: Peer, speech: Speech) -> None:
        """Have a page served until either side has gone."""
        ours, theirs = socket.socketpair()
        serving = asyncio.create_task(self._server.serve_as(theirs, peer))
        inside = Inside(*await asyncio.open_unix_connection(sock=ours))
        outward = asyncio.create_task(speech.outward(page, inside))
        homeward = asyncio.create_task(speech.homeward(page, inside))
        try:
            await asyncio.wait((outward, homeward), return_when=asyncio.FIRST_COMPLETED)
            page_went = outward.done()
        finally:
            for task in (outward, homeward):
                task.cancel()
            inside.close()
            ended = await asyncio.gather(outward, homeward, return_exceptions=True)
        for fault in ended:
            if isinstance(fault, Exception) and not isinstance(fault, GoneError | OSError):
                log_fault("a page's connection failed", fault)
        if not page_went:
            await page.close(CloseCode.GOING_AWAY)
        with contextlib.suppress(OSError):
            await serving


def _speeches(settings: Settings) -> Mapping[str, Callable[[], Speech]]:
    """Return by path what is spoken there."""

    def shaped(number: int) -> Callable[[], Speech]:
        return lambda: Shaped(Conversation(SHAPES[number], settings))

    return {LINES_PATH: Lines, **{shape.path: shaped(number) for number, shape in enumerate(SHAPES)}}


def _know_the_path(speeches: Mapping[str, object], request: Request) -> Refusal | None:
    if request.path in speeches:
        return None
    return Refusal(HTTPStatus.NOT_FOUND, f"Nothing is spoken here; there are {', '.join(speeches)}.")
