"""What is said between a page and the socket: lines as they are, or a shape that is translated."""

import asyncio
from collections import deque
from typing import Final, Protocol

from cardd.web.frames import WebSocket
from cardd.web.shapes import Asked, Conversation
from cardd.wire import rpc

_CHUNK: Final = 64 * 1024
_AHEAD: Final = 8
"""So many calls of a page wait while another is under way."""

_UNASKED: Final = Asked("")


class Inside:
    """The socket's side: lines out and in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._splitter = rpc.LineSplitter(2 * rpc.LINE_BYTES)
        self._lines: deque[bytes] = deque()

    async def say(self, line: bytes) -> None:
        """Send one line, which has its end."""
        self._writer.write(line)
        await self._writer.drain()

    async def hear(self) -> bytes | None:
        """Return the next line without its end, None when there are no more."""
        while not self._lines:
            chunk = await self._reader.read(_CHUNK)
            if not chunk:
                return None
            self._lines.extend(self._splitter.feed(chunk))
        return self._lines.popleft()

    def close(self) -> None:
        """Be gone, as a client is that goes."""
        self._writer.transport.abort()


class Speech(Protocol):
    """How a page and the socket talk. Both run until their side has no more to say; the first one to end, ends both."""

    async def outward(self, page: WebSocket, inside: Inside) -> None:
        """Carry what the page says."""

    async def homeward(self, page: WebSocket, inside: Inside) -> None:
        """Carry what the socket says."""


class Lines:
    """The project's own messages: one a line there, one a message here."""

    async def outward(self, page: WebSocket, inside: Inside) -> None:
        """Carry requests. Ends of lines are blanks of JSON, and stand in a text as characters of their own."""
        while (message := await page.receive()) is not None:
            await inside.say(message.replace(b"\n", b" ") + b"\n")

    async def homeward(self, page: WebSocket, inside: Inside) -> None:
        """Carry answers and events."""
        while (line := await inside.hear()) is not None:
            await page.send(line)


class Shaped:
    """A page's shape, one call after the other: a step is begun by the call before it."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._calls: asyncio.Queue[bytes] = asyncio.Queue(_AHEAD)

    async def outward(self, page: WebSocket, inside: Inside) -> None:
        """Take calls."""
        del inside
        while (message := await page.receive()) is not None:
            await self._calls.put(message)

    async def homeward(self, page: WebSocket, inside: Inside) -> None:
        """Carry calls out, and their answers home. What the socket says unasked is why it ends the connection."""
        hearing = asyncio.create_task(inside.hear())
        calling = asyncio.create_task(self._calls.get())
        try:
            while True:
                await asyncio.wait((hearing, calling), return_when=asyncio.FIRST_COMPLETED)
                if hearing.done():
                    asked = _UNASKED
                else:
                    asked = self._conversation.read(calling.result())
                    calling = asyncio.create_task(self._calls.get())
                if asked.refusal:
                    await page.send(asked.refusal)
                    continue
                await inside.say(asked.request)
                if (line := await hearing) is None:
                    return
                hearing = asyncio.create_task(inside.hear())
                await page.send(self._conversation.write(asked, line))
        finally:
            for task in (hearing, calling):
                task.cancel()
            await asyncio.gather(hearing, calling, return_exceptions=True)
