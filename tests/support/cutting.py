"""A line between client and daemon that is cut again and again, in the middle of whatever is being said."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path


class CuttingLine:
    """Carries each connection until the daemon has said so many bytes; after the last number it holds."""

    def __init__(self, daemon: Path, cuts: Sequence[int]) -> None:
        self._daemon = daemon
        self._cuts = list(cuts)
        self._carried: set[asyncio.Task[None]] = set()

    def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        cut = self._cuts.pop(0) if self._cuts else None
        carried = asyncio.create_task(self._carry(reader, writer, cut))
        self._carried.add(carried)
        carried.add_done_callback(self._carried.discard)

    async def close(self) -> None:
        for carried in self._carried:
            carried.cancel()
        await asyncio.gather(*self._carried, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: int | None) -> None:
        async with _hung_up(writer):
            daemon_reader, daemon_writer = await asyncio.open_unix_connection(self._daemon)
            async with _hung_up(daemon_writer):
                asking = asyncio.create_task(_copy(reader, daemon_writer, None))
                try:
                    await _copy(daemon_reader, writer, cut)
                finally:
                    asking.cancel()
                    await asyncio.gather(asking, return_exceptions=True)


@contextlib.asynccontextmanager
async def _hung_up(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    """Have a connection closed at the end, and gone before the loop is."""
    try:
        yield
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int | None) -> None:
    left = most
    with contextlib.suppress(ConnectionError):
        while (left is None or left > 0) and (chunk := await reader.read(left or 65536)):
            writer.write(chunk)
            await writer.drain()
            left = None if left is None else left - len(chunk)


@contextlib.asynccontextmanager
async def cutting_line(path: Path, daemon: Path, cuts: Sequence[int]) -> AsyncIterator[None]:
    """Listen at `path` for connections to the daemon."""
    line = CuttingLine(daemon, cuts)
    async with await asyncio.start_unix_server(line.take, path):
        yield
    await line.close()
