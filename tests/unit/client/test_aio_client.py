import asyncio
from pathlib import Path

import pytest
from support.counter import PIN, counter
from support.waiting import became, comes_true

from cardd.api.services import Limits
from cardd.client import aio
from cardd.client.aio import Client
from cardd.client.errors import CallError, ProtocolError, UnreachableError
from cardd.wire.activation import (
    ActivationIdParams,
    ActivationStartParams,
    PromptAnswerParams,
    Route,
    State,
)
from cardd.wire.cards import CardReadParams
from cardd.wire.events import EventsSubscribeParams
from cardd.wire.methods import ACTIVATION_GET, ACTIVATION_START, CARD_READ, PROMPT_ANSWER, READERS_LIST, SESSION_HELLO
from cardd.wire.session import HelloParams
from cardd.wire.system import NoParams

pytestmark = pytest.mark.asyncio


async def test_calls_run_side_by_side_and_give_typed_results(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, await Client.connect(desk.path) as client:
        desk.cards.present.clear()
        waiting = asyncio.create_task(client.call(CARD_READ, CardReadParams(wait_s=30)))
        assert (await client.call(SESSION_HELLO, HelloParams(client="test"))).api == 1
        assert (await client.call(READERS_LIST, NoParams())).readers[0].reader == "front"
        desk.cards.present.set()
        assert (await waiting).holder is not None


async def test_a_refusal_is_an_error_with_reason_retry_and_texts(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, await Client.connect(desk.path) as client:
        desk.cards.present.clear()
        with pytest.raises(CallError) as refused:
            await client.call(CARD_READ, CardReadParams())
        assert refused.value.reason == "NO_CARD"
        assert refused.value.retry == "after_event"
        assert set(refused.value.text) == {"en", "zh-CN"}


async def test_an_activation_is_followed_and_its_prompt_answered_on_one_connection(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, await Client.connect(desk.path) as client:
        subscribed = await client.subscribe(EventsSubscribeParams(types=["prompt.opened", "activation.completed"]))
        started = await client.call(ACTIVATION_START, ActivationStartParams(route=Route.PHARMACY))
        await desk.activations.ask_pin(started.activation)
        async for arrival in client.events():
            if arrival.event.type == "org.cardd.activation.completed.v1":
                break
            prompt = arrival.event.data["prompt"]
            assert isinstance(prompt, str)
            await client.call(PROMPT_ANSWER, PromptAnswerParams(prompt=prompt, pin=PIN))
        result = await client.call(ACTIVATION_GET, ActivationIdParams(activation=started.activation))
        assert result.state is State.COMPLETED
        assert client.cursors[subscribed.subscription] == arrival.cursor


async def test_a_beat_moves_the_cursor_past_what_was_filtered_out(tmp_path: Path) -> None:
    async with counter(tmp_path, limits=Limits(heartbeat_s=0.02)) as desk, await Client.connect(desk.path) as client:
        subscribed = await client.subscribe(EventsSubscribeParams(types=["card.*"]))
        await desk.happen("pcsc.down")
        async with asyncio.timeout(5):
            while client.cursors[subscribed.subscription] == subscribed.cursor:  # noqa: ASYNC110 - a beat has no event
                await asyncio.sleep(0.01)


async def test_the_end_of_the_connection_ends_calls_and_events_with_a_remedy(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, await Client.connect(desk.path) as client:
        desk.cards.present.clear()
        waiting = asyncio.create_task(client.call(CARD_READ, CardReadParams(wait_s=30)))
        await client.call(READERS_LIST, NoParams())
        await desk.server.close()
        with pytest.raises(UnreachableError):
            await waiting
        with pytest.raises(UnreachableError):
            await anext(client.events())
        with pytest.raises(UnreachableError):
            await client.call(READERS_LIST, NoParams())


async def test_nobody_on_the_socket_is_one_sentence_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="Start the daemon"):
        await Client.connect(tmp_path / "nobody.sock")


@pytest.mark.parametrize("said", [b"hello\n", b'{"jsonrpc":"2.0","id":1,"result":{"readers":7}}\n', b"x" * (2 << 20)])
async def test_a_server_that_does_not_keep_the_contract_is_a_protocol_error(tmp_path: Path, said: bytes) -> None:
    async def foreign(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(said)
        await asyncio.sleep(0.2)
        writer.close()

    server = await asyncio.start_unix_server(foreign, tmp_path / "foreign.sock")
    async with server, await Client.connect(tmp_path / "foreign.sock") as client:
        with pytest.raises(ProtocolError):
            await client.call(READERS_LIST, NoParams())
    await asyncio.sleep(0.25)


async def test_a_client_whose_events_nobody_takes_does_not_grow_and_still_gets_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aio, "_KEPT_MOST", 3)
    async with counter(tmp_path) as desk, await Client.connect(desk.path) as client:
        await client.subscribe(EventsSubscribeParams())
        for _ in range(10):
            await desk.happen("card.inserted")
        await comes_true(lambda: client.kept == 3, "three events")
        assert not await became(lambda: client.kept > 3, 0.05)
        assert await next_numbers(client, 5) == [1, 2, 3, 4, 5]
        await comes_true(lambda: client.kept == 3, "three events")
        assert (await client.call(READERS_LIST, NoParams())).readers
        assert await next_numbers(client, 5) == [6, 7, 8, 9, 10]


async def next_numbers(client: Client, many: int) -> list[int]:
    async with asyncio.timeout(5):
        return [int((await anext(client.events())).event.sequence) for _ in range(many)]
