"""A WebSocket on a stream: the opening, whole messages in and out, signs of life, the end; and what it may not do."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN, Protocol
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from cardd.base.structs import Struct
from cardd.web.admission import PROTOCOL

_CHUNK: Final = 4096
"""So much is read at once: a thousand frames at most, which take a few milliseconds."""

_REST: Final = 2.0
"""So many times what the frames of a chunk took is left to all other work."""

_LEAST_REST_S: Final = 0.001
_CONTROLS_A_SECOND: Final = 64
"""A browser sends a handful of pings and pongs a minute."""

_PIECES: Final = 1024
"""In so many pieces one message may come."""

_SILENT: Final = logging.getLogger("cardd.web.frames")
_SILENT.disabled = True
"""What the protocol would log may quote headers, and a token is in them."""


class Patience(Struct, frozen=True):
    """How much and how long: bytes of a message; seconds to take what is sent, without a sign of life, for goodbyes."""

    message_bytes: int
    send_s: float
    quiet_s: float
    farewell_s: float


class GoneError(Exception):
    """The page has gone, does not read, or speaks no WebSocket."""


class WebSocket:
    """One page's connection. One task receives, one sends; memory is bounded by a message and what TCP holds."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, patience: Patience) -> None:
        self._reader = reader
        self._writer = writer
        self._patience = patience
        self._protocol = ServerProtocol(
            select_subprotocol=_select, max_size=patience.message_bytes, logger=_SILENT, extensions=None
        )
        self._whole: deque[bytes] = deque()
        self._pieces: list[bytes] = []
        self._pinged = False
        self._controls = _Counter(_CONTROLS_A_SECOND)

    @property
    def port(self) -> int:
        """Return the port that the page has come to."""
        name = self._writer.get_extra_info("sockname")
        return int(name[1]) if name else 0

    async def opening(self) -> Request:
        """Return the request to become a WebSocket. Raises GoneError where none comes."""
        while True:
            chunk = await self._reader.read(_CHUNK)
            self._protocol.receive_data(chunk) if chunk else self._protocol.receive_eof()
            requests = [event for event in self._protocol.events_received() if isinstance(event, Request)]
            if requests:
                return requests[0]
            await self._flush()
            if not chunk or self._protocol.handshake_exc is not None:
                raise GoneError

    async def refuse(self, status: HTTPStatus, text: str) -> None:
        """Answer the opening with a line of text."""
        self._protocol.send_response(self._protocol.reject(status, f"{text}\n"))
        await self._flush()

    async def accept(self, request: Request) -> bool:
        """Become a WebSocket, and tell whether that is what was asked for."""
        self._protocol.send_response(self._protocol.accept(request))
        await self._flush()
        return self._protocol.state is OPEN

    async def receive(self) -> bytes | None:
        """Return the next message, None when there are no more. Raises GoneError."""
        while not self._whole and self._protocol.state is OPEN:
            await self._hear()
        return self._whole.popleft() if self._whole else None

    async def send(self, message: bytes) -> None:
        """Send a message. Raises GoneError where the page does not take it in time."""
        if self._protocol.state is not OPEN:
            raise GoneError
        self._protocol.send_text(message)
        await self._flush()

    async def close(self, code: CloseCode = CloseCode.NORMAL_CLOSURE) -> None:
        """Say goodbye, wait a while for the page's, and let go of the connection. Never raises but when cancelled."""
        try:
            async with asyncio.timeout(self._patience.farewell_s):
                if self._protocol.state is OPEN:
                    self._protocol.send_close(code)
                await self._flush()
                if self._writer.can_write_eof():
                    self._writer.write_eof()
                    while await self._reader.read(_CHUNK):
                        # until the page has gone: closing over unread bytes could take the last ones from it
                        pass
                self._writer.close()
                await self._writer.wait_closed()
        except (TimeoutError, OSError, GoneError):
            pass
        finally:
            self._writer.transport.abort()

    async def _hear(self) -> None:
        try:
            async with asyncio.timeout(self._patience.quiet_s):
                chunk = await self._reader.read(_CHUNK)
        except TimeoutError:
            await self._look_after()
            return
        except OSError:
            raise GoneError from None
        self._pinged = False
        began = time.monotonic()
        self._protocol.receive_data(chunk) if chunk else self._protocol.receive_eof()
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._take(event)
        took = time.monotonic() - began
        await self._flush()
        if took * _REST >= _LEAST_REST_S:
            await asyncio.sleep(took * _REST)

    async def _look_after(self) -> None:
        """Ask for a sign of life. Raises GoneError where the last question had no answer."""
        if self._pinged:
            raise GoneError
        self._pinged = True
        self._protocol.send_ping(b"")
        await self._flush()

    def _take(self, frame: Frame) -> None:
        if self._protocol.state is not OPEN and frame.opcode is not Opcode.TEXT and frame.opcode is not Opcode.CONT:
            return
        if frame.opcode is Opcode.BINARY:
            self._fail(CloseCode.UNSUPPORTED_DATA, "messages are text")
        elif frame.opcode in {Opcode.TEXT, Opcode.CONT}:
            self._add(bytes(frame.data), last=frame.fin)
        elif not self._controls.passes():
            self._fail(CloseCode.POLICY_VIOLATION, "too many pings")

    def _add(self, piece: bytes, *, last: bool) -> None:
        self._pieces.append(piece)
        if len(self._pieces) > _PIECES:
            self._fail(CloseCode.MESSAGE_TOO_BIG, f"a message has at most {_PIECES} pieces")
        elif last:
            message, self._pieces = b"".join(self._pieces), []
            if _is_text(message):
                self._whole.append(message)
            else:
                self._fail(CloseCode.INVALID_DATA, "no UTF-8")

    def _fail(self, code: CloseCode, why: str) -> None:
        if self._protocol.state is OPEN:
            self._pieces = []
            self._protocol.fail(code, why)

    async def _flush(self) -> None:
        """Send what the protocol has to say. Raises GoneError where that is not taken in time."""
        if self._writer.is_closing():
            raise GoneError
        self._writer.write(b"".join(self._protocol.data_to_send()))
        try:
            async with asyncio.timeout(self._patience.send_s):
                await self._writer.drain()
        except (TimeoutError, OSError):
            self._writer.transport.abort()
            raise GoneError from None


class _Counter:
    """So many in a second."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._since = time.monotonic()
        self._number = 0

    def passes(self) -> bool:
        """Count one more, and tell whether that is still within the number."""
        now = time.monotonic()
        if now - self._since >= 1:
            self._since, self._number = now, 0
        self._number += 1
        return self._number <= self._most


def _select(_: Protocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Speak the one subprotocol where a page offers it: a browser wants one of those that it has offered."""
    return Subprotocol(PROTOCOL) if PROTOCOL in offered else None


def _is_text(message: bytes) -> bool:
    try:
        message.decode()
    except UnicodeDecodeError:
        return False
    return True
