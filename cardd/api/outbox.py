"""What goes out to one client: whole lines, in order, with a bounded wait for a client that does not read."""

import asyncio
from collections.abc import Callable


class SlowConsumerError(Exception):
    """The client left its receiving side full for too long, or fell out of the journal."""


def _nothing() -> None:
    """Note nothing."""


class Outbox:
    """The sending side of one connection. At most `buffer_bytes` and one message wait in memory."""

    def __init__(self, writer: asyncio.StreamWriter, *, slow_s: float, buffer_bytes: int) -> None:
        self._writer = writer
        self._transport = writer.transport
        self._most = buffer_bytes
        self._slow_s = slow_s
        self._turn = asyncio.Lock()
        self._is_slow = False
        writer.transport.set_write_buffer_limits(high=buffer_bytes)

    async def send(self, lines: bytes, begun: Callable[[], None] = _nothing) -> None:
        """Send whole lines. Raises SlowConsumerError when the client does not take them in time, ConnectionError.

        Cancelled or not, a line that was begun is in the buffer as a whole; `begun` is called when they are there.
        """
        await self.send_made(lambda: lines, begun)

    async def send_made(self, made: Callable[[], bytes], begun: Callable[[], None] = _nothing) -> None:
        """Send whole lines that are made when it is their turn, so that only what made them waits. Raises as `send`."""
        if self.has_room:
            self.put(made())
            begun()
            return
        async with self._turn:
            self.put(made())
            begun()
            try:
                async with asyncio.timeout(self._slow_s):
                    await self._writer.drain()
            except TimeoutError:
                self._is_slow = True
                raise SlowConsumerError from None

    @property
    def has_room(self) -> bool:
        """Whether lines can be sent without waiting: nobody waits already, and what is buffered is little enough."""
        return not self._turn.locked() and self._transport.get_write_buffer_size() <= self._most

    def put(self, lines: bytes) -> None:
        """Send whole lines without waiting: for whoever has looked whether there is room. Raises as `send`."""
        if self._transport.is_closing():
            raise ConnectionResetError
        if self._is_slow:
            # where it was cut off is being told: nothing may go out behind that place
            raise SlowConsumerError
        self._transport.write(lines)

    async def close(self, last_words: bytes = b"", *, grace_s: float) -> None:
        """Send last words without waiting for room, and close; what is not taken in `grace_s` is lost."""
        if last_words and not self._writer.is_closing():
            self._writer.write(last_words)
        self._writer.close()
        try:
            async with asyncio.timeout(grace_s):
                await self._writer.wait_closed()
        except (TimeoutError, asyncio.CancelledError) as cut:
            self._writer.transport.abort()
            if isinstance(cut, asyncio.CancelledError):
                raise
        except ConnectionError:
            # it was cut from the other side
            pass
