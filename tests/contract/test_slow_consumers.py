"""A client with several subscriptions that does not read."""

import asyncio
import contextlib
import socket
from pathlib import Path

import pytest
from support.counter import Line, Message, counter, line

from cardd.api.services import Limits

pytestmark = pytest.mark.asyncio

SLOW = Limits(slow_s=0.2, farewell_s=5, buffer_bytes=4096, ring_events=8, page_events=4)
SUBSCRIBE = b'{"jsonrpc":"2.0","id":1,"method":"events.subscribe","params":{"after":"earliest"}}\n'
EVENTS = 300


async def test_each_subscription_of_a_client_that_is_cut_off_is_told_how_far_its_own_events_got(tmp_path: Path) -> None:
    """The daemon was sending one's events, and the others' waited: what was not sent is not told as sent."""
    async with counter(tmp_path, limits=SLOW) as desk:
        padding = "x" * 2000
        await asyncio.gather(*(desk.happen("card.inserted", number=n, padding=padding) for n in range(EVENTS)))
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as slow:
            slow.connect(str(desk.path))
            slow.sendall(SUBSCRIBE * 4)
            await asyncio.sleep(5 * SLOW.slow_s)
            messages = await _read_out(slow)
        got: dict[str, int] = {}
        told: dict[str, str] = {}
        for message in messages:
            if message.get("method") == "event":
                got[message["params"]["subscription"]] = message["params"]["event"]["data"]["number"]
            elif "error" in message:
                told[message["error"]["data"]["subscription"]] = message["error"]["data"]["cursor"]
        assert sorted(told) == ["s1", "s2", "s3", "s4"]
        for subscription, cursor in told.items():
            async with line(desk.path) as again:
                await again.result("events.subscribe", after=cursor)
                assert (await again.event())["event"]["data"]["number"] == got.get(subscription, -1) + 1


async def _read_out(sock: socket.socket) -> list[Message]:
    sock.setblocking(False)
    reader, writer = await asyncio.open_unix_connection(sock=sock, limit=1 << 22)
    client, messages = Line(reader, writer), list[Message]()
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            messages.append(await client.read())
    await client.close()
    return messages
