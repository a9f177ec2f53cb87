"""However history and live events interleave, a subscriber sees every event once and in order."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from support.counter import Message, counter, line

from cardd.api.services import Limits

SMALL = Limits(ring_events=4, page_events=3)


@settings(max_examples=25, deadline=None)
@given(
    before=st.integers(0, 12),
    bursts=st.lists(st.tuples(st.integers(1, 7), st.sampled_from([0.0, 0.001])), max_size=8),
    start=st.integers(0, 12),
)
def test_catch_up_meets_live_without_gap_or_repeat(before: int, bursts: list[tuple[int, float]], start: int) -> None:
    asyncio.run(_catch_up(before, bursts, min(start, before)))


async def _catch_up(before: int, bursts: list[tuple[int, float]], start: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with counter(Path(directory), limits=SMALL) as desk, line(desk.path) as client:
            for _ in range(before):
                await desk.happen("card.inserted")

            async def live() -> None:
                for size, pause in bursts:
                    await asyncio.gather(*(desk.happen("card.removed") for _ in range(size)))
                    await asyncio.sleep(pause)

            happening = asyncio.create_task(live())
            await client.result("events.subscribe", after=f"{desk.journal.stream}.{start}")
            await happening
            await desk.happen("service.stopping")
            seen: list[Message] = []
            while not seen or seen[-1]["event"]["type"] != "org.cardd.service.stopping.v1":
                seen.append(await client.event())
            expected = list(range(start + 1, desk.journal.last + 1))
            assert [int(one["event"]["sequence"]) for one in seen] == expected
            assert [one["cursor"] for one in seen] == [f"{desk.journal.stream}.{number}" for number in expected]
