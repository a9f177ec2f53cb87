"""Many lines at once: they are taken a lot at a time, and others go between."""

import asyncio
from pathlib import Path

import pytest
from support.counter import Line, counter, line

from cardd.api.services import Limits
from cardd.api.turns import Turns

pytestmark = pytest.mark.asyncio

LINE = b'{"jsonrpc":"2.0","id":1,"method":"readers.list"}\n'


async def test_a_client_among_those_who_flood_the_socket_is_answered_after_few_of_their_lines(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as flood, line(desk.path) as client:
        await client.result("session.hello")
        await flood.write(LINE * 4000)
        await client.result("readers.list")
        assert await _waiting(flood) < 2000


async def _waiting(client: Line) -> int:
    """Return how many lines have come for a client so far."""
    lines = 0
    try:
        while True:
            async with asyncio.timeout(0.001):
                await client.reader.readline()
            lines += 1
    except TimeoutError:
        return lines


async def test_lines_beyond_one_lot_wait_for_another_turn(tmp_path: Path) -> None:
    async with counter(tmp_path, limits=Limits(lines_a_turn=2)) as desk, line(desk.path) as client:
        await client.write(LINE * 7)
        assert [(await client.read())["id"] for _ in range(7)] == [1] * 7


async def test_lots_are_given_in_the_order_in_which_they_were_asked_for() -> None:
    turns, given = Turns(), list[int]()

    async def ask(number: int) -> None:
        await turns.lot()
        given.append(number)

    await asyncio.gather(*map(ask, range(100)))
    assert given == list(range(100))


async def test_what_lots_took_is_left_to_others_twice() -> None:
    turns, loop = Turns(), asyncio.get_running_loop()
    until = loop.time() + 0.3
    busy = 0.0

    async def work() -> None:
        nonlocal busy
        while loop.time() < until:
            await turns.lot()
            began = loop.time()
            while loop.time() < began + 0.002:
                pass
            busy += loop.time() - began

    began = loop.time()
    await asyncio.gather(*(work() for _ in range(40)))
    assert busy < 0.45 * (loop.time() - began)


async def test_one_who_has_gone_while_it_waited_keeps_nobody_from_a_lot() -> None:
    turns = Turns()
    waiting = [asyncio.create_task(turns.lot()) for _ in range(40)]
    await asyncio.sleep(0)
    for one in waiting[:39]:
        one.cancel()
    async with asyncio.timeout(5):
        await waiting[39]


async def test_several_clients_that_ask_without_a_pause_wait_for_lots_and_one_alone_does_not() -> None:
    turns, first, second = Turns(), object(), object()
    assert all(turns.at_once(first, 1) for _ in range(100))
    await asyncio.sleep(0.002)
    taken = [turns.at_once(client, 1) for _ in range(20) for client in (first, second)]
    assert taken[0]
    assert not all(taken)
    await asyncio.sleep(0.002)
    assert turns.at_once(second, 1)
