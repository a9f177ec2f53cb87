"""What one user of the machine may have at once, over all of its connections."""

import asyncio
from functools import partial
from pathlib import Path

import pytest
from support.counter import Counter, counter, line
from support.waiting import eventually

from cardd.api.services import Limits

pytestmark = pytest.mark.asyncio


async def test_a_user_with_all_its_connections_is_told_so_and_has_one_again_when_one_was_closed(tmp_path: Path) -> None:
    async with counter(tmp_path, limits=Limits(connections_of_user=1)) as desk:
        async with line(desk.path) as first:
            await first.result("session.hello")
            async with line(desk.path) as second:
                error = (await second.read())["error"]
                assert error["data"]["reason"] == "BUSY"
                assert "this user has 1 connections" in error["message"]
        await eventually(desk.deserted)
        async with line(desk.path) as third:
            await third.result("session.hello")


async def test_those_who_are_turned_away_take_nobodys_connection(tmp_path: Path) -> None:
    limits = Limits(connections=2, connections_of_user=1)
    async with counter(tmp_path, limits=limits) as desk, line(desk.path) as first:
        await first.result("session.hello")
        async with line(desk.path) as second, line(desk.path) as third:
            messages = [(await one.read())["error"]["message"] for one in (second, third)]
        assert all("this user has" in message for message in messages)


async def test_a_users_subscriptions_are_counted_over_all_connections_and_end_with_them(tmp_path: Path) -> None:
    async with counter(tmp_path, limits=Limits(subscriptions_of_user=2)) as desk, line(desk.path) as first:
        kept = await first.result("events.subscribe")
        async with line(desk.path) as second:
            await second.result("events.subscribe")
            error = await first.refusal("events.subscribe")
            assert error["data"]["reason"] == "BUSY"
            assert "this user has 2 subscriptions" in error["message"]
        await eventually(partial(_one_is_left, desk))
        await first.result("events.subscribe")
        await first.result("events.unsubscribe", subscription=kept["subscription"])
        await first.result("events.subscribe")


async def _one_is_left(desk: Counter) -> bool:
    return desk.server.connections == 1


async def test_a_users_requests_under_way_are_counted_over_all_connections(tmp_path: Path) -> None:
    limits = Limits(requests_of_user=2, patience_s=0.05)
    async with counter(tmp_path, limits=limits) as desk, line(desk.path) as first, line(desk.path) as second:
        desk.cards.present.clear()
        waiting = [await one.send("card.read", wait_s=60) for one in (first, second)]
        error = await second.refusal("activation.list")
        assert error["data"]["reason"] == "BUSY"
        assert "2 requests of this user" in error["message"]
        desk.cards.present.set()
        assert "result" in await second.answer(waiting[1])
        await second.result("activation.list")


async def test_a_client_that_goes_with_requests_under_way_gives_its_users_places_back(tmp_path: Path) -> None:
    async with counter(tmp_path, limits=Limits(requests_of_user=4, patience_s=0.05)) as desk:
        desk.cards.present.clear()
        for _ in range(3):
            async with line(desk.path) as leaving:
                await leaving.write(b'{"jsonrpc":"2.0","id":1,"method":"card.read","params":{"wait_s":60}}\n' * 8)
                await asyncio.sleep(0.02)
            await eventually(desk.deserted)
        async with line(desk.path) as client:
            await client.result("activation.list")
