"""What pages share with all other clients: limits, slow consumers, and the end of those that give no sign of life."""

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from support.counter import Counter, counter
from support.pages import gateway, page
from support.waiting import eventually
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from cardd.api.rights import PRESETS, Right, Rights
from cardd.api.services import Limits
from cardd.web.admission import GATEWAY_UID

pytestmark = pytest.mark.asyncio

RIGHTS = Rights.own_user().and_for(GATEWAY_UID, frozenset(PRESETS["desk"] | {Right.DRIVER}))
SLOW = Limits(slow_s=0.2, farewell_s=2, buffer_bytes=4096, ring_events=8, page_events=4)


async def _many(desk: Counter, number: int) -> None:
    padding = "x" * 2000
    await asyncio.gather(*(desk.happen("card.inserted", number=one, padding=padding) for one in range(number)))


async def test_all_pages_together_have_the_connections_of_one_user(tmp_path: Path) -> None:
    limits = Limits(connections_of_user=1)
    async with counter(tmp_path, rights=RIGHTS, limits=limits) as desk, gateway(desk, limits) as port:
        async with page(port) as first:
            await first.call("session.hello", client="his", api=1)
            async with page(port) as second:
                error = (await second.read())["error"]
                assert (error["data"]["reason"], "this user has 1" in error["message"]) == ("BUSY", True)
                await second.socket.wait_closed()
            async with page(port, "/") as third:
                assert (await third.read())["success"] == -11
                await third.socket.wait_closed()
            await first.call("readers.list")
        await eventually(desk.deserted)
        async with page(port) as again:
            assert "result" in await again.call("readers.list")


async def test_those_who_never_say_what_they_want_keep_no_page_away(tmp_path: Path) -> None:
    async with counter(tmp_path, rights=RIGHTS) as desk, gateway(desk) as port:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(200)]
        async with page(port) as his:
            assert "result" in await his.call("readers.list")
        # who came last is still waited for
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(silent[-1][0].read(1), 0.2)
        assert await silent[0][0].read(1) == b""
        for _, writer in silent:
            writer.close()


async def test_a_page_that_does_not_read_is_told_how_far_its_events_got_and_may_come_again_from_there(
    tmp_path: Path,
) -> None:
    async with counter(tmp_path, rights=RIGHTS, limits=SLOW) as desk, gateway(desk, SLOW) as port:
        async with page(port, max_queue=1, receives=1 << 16) as slow:
            await _many(desk, 1000)
            await slow.call("events.subscribe", after="earliest")
            await asyncio.sleep(4 * SLOW.slow_s)
            messages = await _rest(slow)
        assert messages[-1]["error"]["data"]["reason"] == "SLOW_CONSUMER"
        last = max(one["params"]["event"]["data"]["number"] for one in messages if one.get("method") == "event")
        assert last < 999
        async with page(port, close_timeout=0.1) as again:
            await again.call("events.subscribe", after=messages[-1]["error"]["data"]["cursor"])
            assert (await again.read())["params"]["event"]["data"]["number"] == last + 1
        await eventually(desk.deserted)


async def _rest(slow: Any) -> list[dict[str, Any]]:
    messages = []
    with contextlib.suppress(ConnectionClosed):
        while True:
            messages.append(await slow.read())
    return messages


async def test_a_page_that_never_reads_again_is_let_go_of(tmp_path: Path) -> None:
    limits = Limits(slow_s=0.1, farewell_s=0.1, buffer_bytes=4096, ring_events=8, page_events=4)
    async with (
        counter(tmp_path, rights=RIGHTS, limits=limits) as desk,
        gateway(desk, limits) as port,
        page(port, close_timeout=0.1, receives=1 << 16) as slow,
    ):
        await slow.call("events.subscribe", after="earliest")
        slow.socket.transport.pause_reading()
        await _many(desk, 1000)
        await eventually(desk.deserted)
        await asyncio.sleep(3 * (2 * limits.slow_s + limits.farewell_s))
        slow.socket.transport.resume_reading()
        await _rest(slow)
        # cut off, with what it had not taken
        assert slow.socket.close_code == CloseCode.ABNORMAL_CLOSURE


async def test_a_page_without_a_sign_of_life_is_let_go_of_and_one_that_answers_is_not(tmp_path: Path) -> None:
    async with (
        counter(tmp_path, rights=RIGHTS) as desk,
        gateway(desk, quiet_s=0.1) as port,
        page(port) as lively,
        page(port, close_timeout=0.1) as dead,
    ):
        await dead.call("readers.list")
        dead.socket.transport.pause_reading()
        await lively.call("readers.list")
        await eventually(lambda: _is(desk, 1))
        await asyncio.sleep(0.3)
        assert "result" in await lively.call("readers.list")


async def _is(desk: Counter, number: int) -> bool:
    return desk.server.connections == number


async def test_pages_follow_the_rights_of_their_row_as_users_do(tmp_path: Path) -> None:
    async with counter(tmp_path, rights=RIGHTS) as desk, gateway(desk) as port:
        async with page(port) as his, page(port, "/") as shaped:
            await his.call("readers.list")
            await eventually(lambda: _is(desk, 2))
            desk.server.follow(Rights.own_user().and_for(GATEWAY_UID, frozenset({Right.OBSERVE})))
            assert (await his.read())["error"]["data"]["reason"] == "FORBIDDEN"
            assert (await shaped.read())["success"] == -13
            await his.socket.wait_closed()
            await shaped.socket.wait_closed()
        async with page(port) as again:
            assert "result" in await again.call("readers.list")
            assert (await again.call("card.read"))["error"]["data"]["right"] == "read_card"


async def test_what_a_page_asks_while_all_its_places_are_taken_is_refused_in_time(tmp_path: Path) -> None:
    limits = Limits(requests=2, patience_s=0.05)
    async with counter(tmp_path, rights=RIGHTS, limits=limits) as desk, gateway(desk, limits) as port:
        desk.cards.present.clear()
        async with page(port) as his:
            for number in range(3):
                await his.socket.send(
                    json.dumps({"jsonrpc": "2.0", "id": number, "method": "card.read", "params": {"wait_s": 30}})
                )
            refused = await his.read()
            assert (refused["id"], refused["error"]["data"]["reason"]) == (2, "BUSY")
