import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.counter import Counter, counter
from support.scripted_daemon import HANG_UP, answer, beat, event, expulsion, refusal, scripted_daemon, subscribed
from support.waiting import comes_true, eventually

from cardd.client import resume
from cardd.client.aio import Watch
from cardd.client.errors import CallError, UnreachableError
from cardd.client.messages import Arrival
from cardd.client.resume import Reconnect
from cardd.wire.cards import CardReadParams
from cardd.wire.events import EventsSubscribeParams
from cardd.wire.methods import CARD_READ, READERS_LIST
from cardd.wire.system import NoParams

pytestmark = pytest.mark.asyncio

QUICKLY = Reconnect(first_s=0.001, most_s=0.01)


async def watch(directory: Path, *, program: str | None = None, reconnect: Reconnect = QUICKLY) -> Watch:
    path = directory / "cardd.sock"
    return await Watch.begin(EventsSubscribeParams(), path=path, program=program, reconnect=reconnect)


async def next_numbers(events: AsyncIterator[Arrival], many: int) -> list[int]:
    async with asyncio.timeout(5):
        return [int((await anext(events)).event.sequence) for _ in range(many)]


async def happen(desk: Counter, times: int) -> None:
    for _ in range(times):
        await desk.happen("card.inserted")


async def test_what_happens_around_a_restart_comes_once_and_in_order(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk:
        watching = await watch(tmp_path)
        events = watching.events()
        await happen(desk, 3)
        came = await next_numbers(events, 2)
        await happen(desk, 2)
    async with counter(tmp_path) as desk, watching:
        await happen(desk, 2)
        assert came + await next_numbers(events, 5) == [1, 2, 3, 4, 5, 6, 7]
        assert desk.server.connections == 1


async def test_an_event_that_a_daemon_repeats_comes_once(tmp_path: Path) -> None:
    scripts = ([subscribed(), event(1), event(2), HANG_UP], [subscribed(1), event(1), event(2), event(3)])
    with scripted_daemon(tmp_path, *scripts) as daemon:
        async with await watch(tmp_path) as watching:
            assert await next_numbers(watching.events(), 3) == [1, 2, 3]
        assert [params.get("after") for params in daemon.params("events.subscribe")] == [None, "c.2"]


async def test_a_watch_goes_on_from_the_last_beat(tmp_path: Path) -> None:
    scripts = ([subscribed(), event(1), beat(7), HANG_UP], [subscribed(7), event(8)])
    with scripted_daemon(tmp_path, *scripts) as daemon:
        async with await watch(tmp_path) as watching:
            assert await next_numbers(watching.events(), 2) == [1, 8]
            assert watching.cursor == "c.8"
        assert daemon.params("events.subscribe")[1]["after"] == "c.7"


async def test_an_event_that_was_not_handed_out_comes_again_after_a_call_has_reconnected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # nothing of this may be left to the memory of what came, which is bounded
    monkeypatch.setattr(resume, "_REMEMBERED", 1)
    scripts = (
        [subscribed(), event(1), event(2), event(3), beat(9), HANG_UP],
        [subscribed(1), answer(readers=[]), event(2), event(3), event(4)],
    )
    with scripted_daemon(tmp_path, *scripts) as daemon:
        async with await watch(tmp_path) as watching:
            events = watching.events()
            assert await next_numbers(events, 1) == [1]
            assert (await watching.call(READERS_LIST, NoParams())).readers == []
            assert await next_numbers(events, 3) == [2, 3, 4]
        assert daemon.params("events.subscribe")[1]["after"] == "c.1"


async def test_a_client_that_was_too_slow_comes_back(tmp_path: Path) -> None:
    scripts = ([subscribed(), event(1), expulsion("SLOW_CONSUMER"), HANG_UP], [subscribed(1), event(2)])
    with scripted_daemon(tmp_path, *scripts):
        async with await watch(tmp_path) as watching:
            assert await next_numbers(watching.events(), 2) == [1, 2]


async def test_a_client_that_is_sent_away_for_good_does_not_come_back(tmp_path: Path) -> None:
    with scripted_daemon(tmp_path, [subscribed(), event(1), expulsion("INTERNAL")]):
        async with await watch(tmp_path) as watching:
            with pytest.raises(CallError, match="INTERNAL"):
                await next_numbers(watching.events(), 2)


async def test_a_gap_is_told(tmp_path: Path) -> None:
    scripts = ([subscribed(), event(1), HANG_UP], [refusal("CURSOR_GONE", earliest="c.50")])
    with scripted_daemon(tmp_path, *scripts):
        async with await watch(tmp_path) as watching:
            with pytest.raises(CallError) as gone:
                await next_numbers(watching.events(), 2)
    assert (gone.value.reason, gone.value.fact("earliest")) == ("CURSOR_GONE", "c.50")


async def test_a_call_that_a_restart_cut_off_is_made_again_while_events_are_awaited(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk:
        desk.cards.present.clear()
        watching = await watch(tmp_path, program="till-3")
        awaited = asyncio.create_task(next_numbers(watching.events(), 1))
        reading = asyncio.create_task(watching.call(CARD_READ, CardReadParams(wait_s=30)))
        await comes_true(lambda: desk.cards.reads, "a read")
    async with counter(tmp_path) as desk, watching:
        assert (await reading).insertion == "1-1"
        await happen(desk, 1)
        assert await awaited == [1]
        assert desk.server.connections == 1


async def test_a_watch_that_is_closed_does_not_come_back(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk:
        watching = await watch(tmp_path)
        awaited = asyncio.create_task(next_numbers(watching.events(), 1))
        await asyncio.sleep(0)
        await watching.close()
        with pytest.raises(UnreachableError):
            await awaited
        await eventually(desk.deserted)


async def test_patience_ends(tmp_path: Path) -> None:
    lost: list[Exception] = []
    async with counter(tmp_path):
        how = Reconnect(first_s=0.001, most_s=0.01, patience_s=0.05, lost=lost.append)
        watching = await watch(tmp_path, reconnect=how)
    async with watching:
        with pytest.raises(UnreachableError, match="Start the daemon"):
            await next_numbers(watching.events(), 1)
    assert [type(error) for error in lost] == [UnreachableError]
