"""What the socket does with lines, good and bad."""

import asyncio
import json
import os
import socket
from pathlib import Path

import pytest
from support.counter import PIN, counter, line
from support.waiting import eventually

from cardd.api.services import Limits

pytestmark = pytest.mark.asyncio


async def test_hello_tells_the_contract_the_stream_the_rights_and_the_limits(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        hello = await client.result("session.hello", client="till-3", api=1)
        assert hello["daemon"] == "cardd"
        assert hello["api"] == 1
        assert hello["version"]
        assert hello["stream"] == desk.journal.stream
        assert "observe" in hello["rights"]
        assert "raw_apdu" not in hello["rights"]
        assert hello["limits"] == {"line_bytes": 1 << 20, "connections": 64, "requests": 32}


async def test_hello_refuses_a_contract_that_the_daemon_does_not_speak(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        error = await client.refusal("session.hello", client="till-3", api=2)
        assert error["data"]["reason"] == "INVALID"
        assert error["data"]["path"] == "$.api"


async def test_an_unknown_method_is_an_error_of_its_own(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        error = await client.refusal("card.fly")
        assert error["code"] == -32601
        assert error["data"]["reason"] == "NOT_FOUND"


async def test_unknown_fields_are_ignored_and_missing_parameters_are_an_empty_object(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        assert "readers" in await client.result("readers.list", of_tomorrow=[1, {"a": None}])
        await client.write(b'{"jsonrpc":"2.0","id":9,"method":"readers.list","trace":"x"}\n')
        assert (await client.answer(9))["result"]["readers"][0]["reader"] == "front"


@pytest.mark.parametrize("broken", [b"", b"{", b"\xff\xfe", b"[]", b'[{"jsonrpc":"2.0","id":1,"method":"x"}]', b"null"])
async def test_a_broken_line_gets_an_error_with_the_id_null_and_the_connection_lives(
    tmp_path: Path, broken: bytes
) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        await client.write(broken + b"\n")
        answer = await client.read()
        assert answer["id"] is None
        assert answer["error"]["code"] in {-32700, -32600}
        assert answer["error"]["data"]["reason"] == "INVALID"
        assert "result" in await client.call("readers.list")


async def test_a_line_of_exactly_the_limit_is_taken(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "readers.list", "x": ""}).encode()
        await client.write(request.replace(b'""', b'"' + b"x" * ((1 << 20) - len(request)) + b'"') + b"\n")
        assert "result" in await client.answer(1)


async def test_a_line_over_the_limit_gets_an_error_and_the_connection_is_closed(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        identity = await client.send("readers.list")
        await client.write(b"x" * ((1 << 20) + 1) + b"\n" + b'{"jsonrpc":"2.0","id":77,"method":"readers.list"}\n')
        assert "result" in await client.answer(identity)
        refusal = await client.read()
        assert refusal["id"] is None
        assert "1048576" in refusal["error"]["data"]["detail"]
        client.half_close()
        with pytest.raises(EOFError):
            await client.read()


async def test_an_endless_line_is_cut_off_before_it_ends(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        await client.write(b"x" * ((1 << 20) + 1))
        assert (await client.read())["error"]["data"]["reason"] == "INVALID"


async def test_a_notification_is_carried_out_and_never_answered(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        await client.write(b'{"jsonrpc":"2.0","method":"activation.start","params":{"route":"pharmacy"}}\n')
        await client.write(b'{"jsonrpc":"2.0","method":"no.such.method"}\n')
        answer = await client.call("readers.list")
        assert "result" in answer
        assert client.aside == []
        assert len(desk.activations.started_by) == 1


async def test_a_waiting_request_does_not_hold_up_the_others(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        desk.cards.present.clear()
        waiting = await client.send("card.read", wait_s=30)
        assert "result" in await client.call("readers.list")
        desk.cards.present.set()
        assert (await client.answer(waiting))["result"]["kind"] == "social_security"


async def test_more_requests_than_there_are_places_are_refused_as_busy_and_the_places_come_free(tmp_path: Path) -> None:
    async with counter(tmp_path, limits=Limits(requests=2, patience_s=0.05)) as desk, line(desk.path) as client:
        desk.cards.present.clear()
        waiting = [await client.send("card.read", wait_s=30) for _ in range(2)]
        assert (await client.refusal("activation.list"))["data"]["reason"] == "BUSY"
        desk.cards.present.set()
        for identity in waiting:
            assert "result" in await client.answer(identity)
        assert "result" in await client.call("readers.list")


async def test_a_thousand_requests_in_one_write_are_all_answered(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        request = '{{"jsonrpc":"2.0","id":{},"method":"readers.list"}}\n'
        await client.write("".join(request.format(number) for number in range(1000)).encode())
        answers = [await client.read() for _ in range(1000)]
        assert sorted(answer["id"] for answer in answers) == list(range(1000))
        assert all("result" in answer for answer in answers)


async def test_what_was_asked_before_the_client_closed_its_sending_side_is_answered(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        desk.cards.present.clear()
        waiting = await client.send("card.read", wait_s=30)
        await client.write(b'{"jsonrpc":"2.0","id":"last","method":"readers.list"}')
        client.half_close()
        assert (await client.until(lambda message: message["id"] == "last"))["result"]
        desk.cards.present.set()
        assert "result" in await client.answer(waiting)
        with pytest.raises(EOFError):
            await client.read()


async def test_a_client_that_goes_after_closing_its_sending_side_keeps_no_place(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk:
        desk.cards.present.clear()
        async with line(desk.path) as client:
            await client.send("card.read", wait_s=3600)
            await client.result("events.subscribe", types=["none"])
            client.half_close()
        await eventually(desk.deserted)


async def test_a_deed_is_carried_out_although_the_client_has_gone(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk:
        desk.activations.begin.clear()
        async with line(desk.path) as client:
            await client.send("activation.start", route="pharmacy")
            await asyncio.sleep(0.05)
        await eventually(desk.deserted)
        desk.activations.begin.set()

        async def started() -> bool:
            return bool(await desk.recorded("activation.started"))

        await eventually(started)


async def test_deeds_of_a_client_that_writes_and_leaves_at_once_are_carried_out(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(desk.path))
            client.sendall(b'{"jsonrpc":"2.0","method":"activation.start","params":{"route":"pharmacy"}}\n' * 3)

        async def all_started() -> bool:
            return len(await desk.recorded("activation.started")) == 3

        await eventually(all_started)


async def test_a_request_that_waits_ends_when_its_client_goes(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk:
        desk.cards.present.clear()
        async with line(desk.path) as client:
            await client.send("card.read", wait_s=3000)
            await client.call("readers.list")
        await eventually(desk.deserted)


async def test_one_client_too_many_is_told_so(tmp_path: Path) -> None:
    async with counter(tmp_path, limits=Limits(connections=1)) as desk, line(desk.path) as first:
        await first.call("readers.list")
        async with line(desk.path) as second:
            assert (await second.read())["error"]["data"]["reason"] == "BUSY"
            with pytest.raises(EOFError):
                await second.read()
        assert "result" in await first.call("readers.list")


async def test_a_fault_of_our_own_is_an_error_without_its_message_and_the_connection_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:

        async def broken(prompt: str, pin: object) -> None:
            raise ValueError(f"{prompt} {pin!r} {PIN}")

        monkeypatch.setattr(desk.activations, "answer", broken)
        error = await client.refusal("prompt.answer", prompt="p", pin=PIN)
        assert error["code"] == -32603
        assert error["data"]["reason"] == "INTERNAL"
        assert "result" in await client.call("readers.list")
        logged = capsys.readouterr()
        assert "ValueError" in logged.out + logged.err
        assert PIN not in logged.out + logged.err + json.dumps(error)


async def test_the_daemon_ends_in_time_with_clients_connected_and_waiting(tmp_path: Path) -> None:
    async with counter(tmp_path) as desk, line(desk.path) as client:
        desk.cards.present.clear()
        await client.send("card.read", wait_s=3000)
        await client.result("events.subscribe", after="now")
        async with asyncio.timeout(2):
            await desk.server.close()
        assert not desk.path.exists()
        with pytest.raises((EOFError, ConnectionError)):
            await client.read()


async def test_what_a_client_says_before_it_is_gone_is_done_and_one_that_says_nothing_is_not_asked_for(
    tmp_path: Path,
) -> None:
    async with counter(tmp_path) as desk:
        for said in (b"", b'{"jsonrpc":"2.0","method":"activation.start","params":{"route":"pharmacy"}}\n'):
            with socket.socket(socket.AF_UNIX) as client:
                # both before the daemon takes the connection: it has had no turn
                client.connect(os.fspath(desk.path))
                client.sendall(said)
        await eventually(desk.under_way)
        await eventually(desk.deserted)
        assert len(desk.activations.started_by) == 1
