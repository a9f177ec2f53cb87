"""Subscriptions: cursors, filters, snapshots, heartbeats, slow consumers."""

import asyncio
import contextlib
import os
import pwd
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from support.counter import NAME, Counter, Line, counter, line
from support.waiting import eventually

from cardd.api.rights import Rights, RightsRow
from cardd.api.services import Limits
from cardd.wire.activation import State

pytestmark = pytest.mark.asyncio

ME = pwd.getpwuid(os.geteuid()).pw_name


async def kinds(client: Line, count: int) -> list[str]:
    return [(await client.event())["event"]["type"] for _ in range(count)]


async def test_an_event_arrives_as_a_cloud_event_with_its_subscription_and_cursor(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        subscribed = await client.result("events.subscribe", after="now")
        await desk.happen("card.inserted", atr="3B00")
        params = await client.event()
        assert params["subscription"] == subscribed["subscription"]
        assert params["cursor"] != subscribed["cursor"]
        event = params["event"]
        assert event["specversion"] == "1.0"
        assert event["type"] == "org.cardd.card.inserted.v1"
        assert event["subject"] == "front"
        assert event["data"] == {"atr": "3B00"}
        assert int(event["sequence"]) == 1


async def test_now_comes_with_a_snapshot_and_other_places_without(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        await client.call("activation.start", route="pharmacy")
        await client.call("activation.start", route="pharmacy")
        await desk.activations.end("act-1", State.COMPLETED)
        now = await client.result("events.subscribe", after="now")
        assert [one["reader"] for one in now["snapshot"]["readers"]] == ["front"]
        assert [one["activation"] for one in now["snapshot"]["activations"]] == ["act-2"]
        for after in ("earliest", now["cursor"]):
            assert (await client.result("events.subscribe", after=after))["snapshot"] is None


async def test_a_cursor_goes_on_right_behind_its_event(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk:
        for number in range(5):
            await desk.happen("card.inserted", number=number)
        async with line(desk.path) as first:
            await first.result("events.subscribe", after="earliest")
            assert [(await first.event())["event"]["data"]["number"] for _ in range(2)] == [0, 1]
            cursor = (await first.event())["cursor"]
        async with line(desk.path) as second:
            await second.result("events.subscribe", after=cursor)
            assert [(await second.event())["event"]["data"]["number"] for _ in range(2)] == [3, 4]


@pytest.mark.parametrize("cursor", ["yesterday", "", "00ff.1", "0.0.0"])
async def test_a_cursor_that_is_not_of_this_stream_is_gone_and_the_earliest_one_is_told(
    tmp_path: Path, cursor: str
) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        await desk.happen("card.inserted")
        error = await client.refusal("events.subscribe", after=cursor)
        assert error["data"]["reason"] == "CURSOR_GONE"
        await client.result("events.subscribe", after=error["data"]["earliest"])
        assert await kinds(client, 1) == ["org.cardd.card.inserted.v1"]


async def test_a_cursor_that_the_stream_has_not_reached_is_gone(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        error = await client.refusal("events.subscribe", after=f"{desk.journal.stream}.99")
        assert error["data"]["reason"] == "CURSOR_GONE"


@pytest.mark.parametrize("globs", [["card.*"], ["org.cardd.card.*.v1"], ["reader.*", "card.ins*", "card.removed"]])
async def test_types_are_globs_on_the_short_or_the_whole_name(tmp_path: Path, globs: list[str]) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        await client.result("events.subscribe", types=globs)
        for kind in ("pcsc.up", "card.inserted", "activation.started", "card.removed"):
            await desk.happen(kind)
        assert await kinds(client, 2) == ["org.cardd.card.inserted.v1", "org.cardd.card.removed.v1"]


@pytest.mark.parametrize("globs", [["Reader [SAM] 00"], ["Reader*"], ["nothing", "*00"]])
async def test_readers_are_names_or_globs_on_the_subject(tmp_path: Path, globs: list[str]) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        await client.result("events.subscribe", readers=globs)
        await desk.happen("card.inserted", "front")
        await desk.happen("card.removed", "Reader [SAM] 00")
        assert await kinds(client, 1) == ["org.cardd.card.removed.v1"]


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ({"types": []}, "$.types"),
        ({"types": ["x" * 300]}, "$.types"),
        ({"readers": ["x"] * 65}, "$.readers"),
        ({"types": "card.*"}, "$.types"),
        ({"after": 3}, "$.after"),
        ({"personal": True}, "$.purpose"),
        ({"personal": True, "purpose": " "}, "$.purpose"),
    ],
)
async def test_a_subscription_that_is_not_in_order_is_refused_with_its_path(
    tmp_path: Path, params: dict[str, Any], path: str
) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        error = await client.refusal("events.subscribe", **params)
        assert error["data"]["reason"] == "INVALID"
        assert error["data"]["path"].startswith(path)


async def test_an_ended_subscription_sends_no_more_and_another_one_goes_on(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        first = (await client.result("events.subscribe"))["subscription"]
        second = (await client.result("events.subscribe"))["subscription"]
        await desk.happen("card.inserted")
        assert {(await client.event())["subscription"] for _ in range(2)} == {first, second}
        ended = await client.result("events.unsubscribe", subscription=first)
        assert ended == {"subscription": first, "cursor": f"{desk.journal.stream}.1"}
        await desk.happen("card.removed")
        await desk.happen("card.inserted")
        assert [(await client.event())["subscription"] for _ in range(2)] == [second, second]
        assert (await client.refusal("events.unsubscribe", subscription=first))["data"]["reason"] == "NOT_FOUND"


async def test_a_subscription_that_is_ended_in_the_same_breath_sends_nothing(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        await desk.happen("card.inserted")
        await client.write(
            b'{"jsonrpc":"2.0","id":"a","method":"events.subscribe","params":{"after":"earliest"}}\n'
            b'{"jsonrpc":"2.0","id":"b","method":"events.unsubscribe","params":{"subscription":"s1"}}\n'
        )
        assert (await client.read())["id"] == "a"
        assert "result" in await client.until(lambda message: message.get("id") == "b")
        await client.call("readers.list")
        assert [message for message in client.aside if message.get("method") == "event"] == []


async def test_a_quiet_subscription_beats_and_its_cursor_passes_what_was_filtered_out(tmp_path: Path) -> None:
    async with counter(tmp_path, limits=Limits(heartbeat_s=0.05)) as desk, line(desk.path) as client:
        subscribed = await client.result("events.subscribe", types=["card.*"])
        await desk.happen("pcsc.down")
        beat = await client.until(
            lambda message: message.get("method") == "heartbeat" and message["params"]["cursor"] != subscribed["cursor"]
        )
        assert beat["params"] == {"subscription": subscribed["subscription"], "cursor": f"{desk.journal.stream}.1"}


async def test_a_busy_but_filtered_stream_does_not_keep_the_beat_from_coming(tmp_path: Path) -> None:
    async with counter(tmp_path, limits=Limits(heartbeat_s=0.1)) as desk, line(desk.path) as client:
        await client.result("events.subscribe", types=["card.*"])
        noise = asyncio.create_task(_noise(desk))
        beat = await client.until(lambda message: message.get("method") == "heartbeat")
        assert beat["params"]["cursor"] != f"{desk.journal.stream}.0"
        noise.cancel()
        await asyncio.gather(noise, return_exceptions=True)


async def _noise(desk: Counter) -> None:
    while True:
        await desk.happen("pcsc.down")
        await asyncio.sleep(0.01)


async def test_a_client_that_has_closed_its_sending_side_still_gets_events(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        await client.result("events.subscribe")
        client.half_close()
        await asyncio.sleep(0.05)
        await desk.happen("card.inserted")
        assert await kinds(client, 1) == ["org.cardd.card.inserted.v1"]


async def test_a_subscriber_that_half_closed_and_went_is_noticed_by_the_next_beat(tmp_path: Path) -> None:
    async with counter(tmp_path, limits=Limits(heartbeat_s=0.05)) as desk:
        async with line(desk.path) as client:
            await client.result("events.subscribe")
            client.half_close()
            await asyncio.sleep(0.1)
        await eventually(desk.deserted)


async def test_without_a_purpose_events_are_masked_and_with_one_whole_and_on_record(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as masked, line(desk.path) as whole:
        await masked.result("events.subscribe", types=["activation.completed", "personal.disclosed"])
        await whole.result("events.subscribe", types=["activation.*"], personal=True, purpose="receipts")
        await whole.result("activation.start", route="pharmacy")
        await desk.activations.end("act-1", State.COMPLETED)
        assert (await masked.event())["event"]["data"]["holder"] == {"name": "测*甲"}
        await whole.event()
        await whole.event()
        assert (await whole.event())["event"]["data"]["holder"] == {"name": NAME}
        (disclosed,) = await desk.recorded("personal.disclosed")
        assert disclosed == {
            "client": ME,
            "purpose": "receipts",
            "method": "events.subscribe",
            "fields": ["holder.name"],
        }
        told = (await masked.event())["event"]
        assert told["type"] == "org.cardd.personal.disclosed.v1"
        assert told["correlationid"] == "act-1"


async def test_whole_events_need_the_right(tmp_path: Path) -> None:
    rights = Rights.of([RightsRow(grant=["watch"], user=ME)])
    async with counter(tmp_path, rights=rights) as desk, line(desk.path) as client:
        error = await client.refusal("events.subscribe", personal=True, purpose="receipts")
        assert error["data"]["right"] == "personal"
        assert [one["right"] for one in await desk.recorded("access.denied")] == ["personal"]


async def test_no_more_subscriptions_than_the_limit(tmp_path: Path) -> None:
    async with counter(tmp_path, limits=Limits(subscriptions=1)) as desk, line(desk.path) as client:
        await client.result("events.subscribe")
        assert (await client.refusal("events.subscribe"))["data"]["reason"] == "BUSY"


SLOW = Limits(slow_s=0.2, farewell_s=5, buffer_bytes=4096, ring_events=8, page_events=4)


async def test_a_client_that_does_not_read_is_told_its_cursor_and_disconnected_and_can_come_back(
    tmp_path: Path,
) -> None:
    async with counter(tmp_path, limits=SLOW) as desk, line(desk.path) as quick, _slow(desk.path) as slow:
        await quick.result("events.subscribe")
        count = 300
        padding = "x" * 2000
        await asyncio.gather(*(desk.happen("card.inserted", number=number, padding=padding) for number in range(count)))
        # a subscriber that reads is not disturbed
        assert [(await quick.event())["event"]["data"]["number"] for _ in range(count)] == list(range(count))
        await asyncio.sleep(3 * SLOW.slow_s)
        got, last = await _rest(slow)
        assert last["id"] is None
        assert last["error"]["data"]["reason"] == "SLOW_CONSUMER"
        assert got == list(range(len(got)))
        assert 0 < len(got) < count
        async with line(desk.path) as again:
            await again.result("events.subscribe", after=last["error"]["data"]["cursor"])
            assert (await again.event())["event"]["data"]["number"] == len(got)


@contextlib.asynccontextmanager
async def _slow(path: Path) -> AsyncIterator[socket.socket]:
    """A subscriber that sends its request and does not read."""
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(path))
    sock.sendall(b'{"jsonrpc":"2.0","id":1,"method":"events.subscribe","params":{}}\n')
    await asyncio.sleep(0.1)
    try:
        yield sock
    finally:
        sock.close()


async def _rest(sock: socket.socket) -> tuple[list[int], dict[str, Any]]:
    """Read what is left: the numbers of the events, and the last line."""
    sock.setblocking(False)
    reader, writer = await asyncio.open_unix_connection(sock=sock, limit=1 << 22)
    client = Line(reader, writer)
    messages = []
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            messages.append(await client.read())
    await client.close()
    numbers = [one["params"]["event"]["data"]["number"] for one in messages if one.get("method") == "event"]
    return numbers, messages[-1]


async def test_subscribers_get_what_was_committed_before_the_daemon_ends(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        await client.result("events.subscribe")
        await desk.happen("service.stopping")
        async with asyncio.timeout(5):
            # as soon as all is sent, not at the end of the grace
            await desk.server.close(grace_s=60)
        assert await kinds(client, 1) == ["org.cardd.service.stopping.v1"]
        with pytest.raises(EOFError):
            await client.read()
