"""Whatever cuts the connection, and wherever: every event comes once, in its order."""

import asyncio
import tempfile
from itertools import islice
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from support.counter import Counter, counter
from support.cutting import cutting_line

from cardd.api.services import Limits
from cardd.client import aio, blocking
from cardd.client.resume import Reconnect
from cardd.wire.events import EventsSubscribeParams

EVENTS = 30
QUICKLY = Reconnect(first_s=0.0001, most_s=0.001)
WANTED = EventsSubscribeParams(after="earliest", types=["card.*"])

# the subscription's answer has some 150 bytes and each event some 400
cuts = st.lists(st.integers(1, 4000), max_size=12)


async def happen(desk: Counter) -> None:
    """Let things happen a few at a time, every third of them unwanted."""
    for number in range(EVENTS):
        await desk.happen("pcsc.down" if number % 3 == 2 else "card.inserted")
        await asyncio.sleep(0)


def watch_blocking(path: Path, many: int) -> list[int]:
    with blocking.Watch(WANTED, path=path, reconnect=QUICKLY) as watch:
        return [int(arrival.event.sequence) for arrival in islice(watch.events(20), many)]


async def watch_aio(path: Path, many: int) -> list[int]:
    async with await aio.Watch.begin(WANTED, path=path, reconnect=QUICKLY) as watch:
        events = watch.events()
        async with asyncio.timeout(20):
            return [int((await anext(events)).event.sequence) for _ in range(many)]


async def both(directory: Path, cut_at: list[int]) -> tuple[list[int], list[int]]:
    many = EVENTS - EVENTS // 3
    # beginning is not mended, so the first cut of each comes after it
    begun = [500 + cut_at[0], *cut_at[1:]] if cut_at else []
    async with (
        counter(directory, limits=Limits(heartbeat_s=0.005)) as desk,
        cutting_line(directory / "a.sock", desk.path, begun),
        cutting_line(directory / "b.sock", desk.path, begun),
    ):
        blocking_one = asyncio.to_thread(watch_blocking, directory / "b.sock", many)
        _, there, here = await asyncio.gather(happen(desk), blocking_one, watch_aio(directory / "a.sock", many))
    return there, here


@given(cuts)
@settings(max_examples=25)
def test_every_event_comes_once_and_in_order_however_the_connection_is_cut(cut_at: list[int]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        there, here = asyncio.run(both(Path(directory), cut_at))
    assert there == here == [number for number in range(1, EVENTS + 1) if number % 3]
