"""Pages on a whole daemon with virtual cards: what they are told, what is refused, what goes on record."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from support.back_office import BackOffice
from support.driver_calls import INFO
from support.exchanges import EVERYTHING, Desk, told, whole_daemon
from support.pages import ORIGIN, TOKEN, as_yaml, free_port, page, web
from support.waiting import eventually
from websockets.exceptions import InvalidStatus

from cardsim.centre.certificates import Certificates

pytestmark = pytest.mark.asyncio

BASIC = (
    "510100|510101190001010086|T00000087|510100D156000005C0FFEE08FFFFFFFF|测试辛|0081544C9686845101C0FFEE08|3.00|"
    "20240102|20340102|510100000001||"
)
OFFICE = BackOffice("510100", "0081544C9686845101C0FFEE08")
CLIENT = f"web {ORIGIN}"


@contextlib.asynccontextmanager
async def counter(directory: Path, **changes: object) -> AsyncIterator[tuple[Desk, int]]:
    port = free_port()
    async with whole_daemon(directory, grant=EVERYTHING, more=as_yaml(web(directory, port, **changes))) as desk:
        await desk.call("events.subscribe", after="now")
        await desk.insert("p3-3.0-sm4")
        await desk.until("card.identified")
        yield desk, port


async def recorded(directory: Path, kind: str) -> list[dict[str, Any]]:
    return [event["data"] for event in await told(directory / "cardd.sock") if event["type"] == f"org.cardd.{kind}.v1"]


async def status(port: int, path: str = "/rpc", **how: Any) -> tuple[int, str]:
    """Return what a refused page is answered."""
    with pytest.raises(InvalidStatus) as caught:
        async with page(port, path, **how):
            pass
    response = caught.value.response
    assert response.headers["Content-Type"].startswith("text/plain")
    return response.status_code, bytes(response.body or b"").decode()


async def test_a_page_reads_a_card_in_the_shape_of_existing_pages_and_that_is_on_record(tmp_path: Path) -> None:
    async with counter(tmp_path) as (_, port), page(port, f"/?token={TOKEN}", protocols=()) as his:
        answer = await his.say(function="iReadCardBas", iType=3)
        assert answer == {"functionName": "iReadCardBas", "success": 1, "pOutInfo": BASIC}
        (disclosed,) = await recorded(tmp_path, "personal.disclosed")
        assert (disclosed["client"], disclosed["purpose"]) == (CLIENT, "iReadCardBas")
        assert "holder.name" in disclosed["fields"]


async def test_a_page_that_nobody_can_change_needs_no_token_for_its_shape_alone_where_the_configuration_says_so(
    tmp_path: Path,
) -> None:
    async with counter(tmp_path, without_token=[ORIGIN]) as (_, port):
        async with page(port, "/", protocols=()) as his:
            assert (await his.say(function="iReadCardBas", iType=3))["pOutInfo"] == BASIC
        assert (await status(port, "/rpc", protocols=()))[0] == 401
        assert (await status(port, "/", protocols=(), origin="https://foreign.example"))[0] == 403
        (disclosed,) = await recorded(tmp_path, "personal.disclosed")
        assert disclosed["client"] == CLIENT


async def test_after_every_failure_the_next_call_works(tmp_path: Path) -> None:
    async with counter(tmp_path) as (_, port), page(port, "/") as his:
        for message, number in (
            ({"function": "iReadCardBas", "iType": 2}, -2),
            ({"function": "iReadIdentityCard"}, -13),
            ({"function": "iReadCardBas", "iType": 9}, -14),
            ({"function": "iReadCardBas"}, -14),
            ({"nothing": 1}, -14),
            ({"function": "ReadCard_HSM_Step2", "pkey": "00"}, -12),
            (
                {
                    "function": "iReadCard",
                    "iType": 1,
                    "iAuthType": 1,
                    "pCardInfo": INFO.replace("87", "88"),
                    "pFileAddr": "DF01EF0A|37|$",
                },
                -22,
            ),
        ):
            assert (await his.say(**message))["success"] == number, message
            assert (await his.say(function="iReadCardBas", iType=3))["success"] == 1


async def test_the_second_step_has_the_one_name_for_both_and_the_handle_is_the_pages(tmp_path: Path) -> None:
    async with counter(tmp_path) as (_, port), page(port, "/") as his:
        first = await his.say(function="iReadCardBas_HSM_Step1", iType=3)
        assert first["success"] == 1
        async with page(port, "/") as other:
            # the handle is not a matter of the origin, but of the connection
            assert (await other.say(function="ReadCard_HSM_Step2", pKey="00"))["success"] == -12
        second = await his.say(function="ReadCard_HSM_Step2", pkey=OFFICE.basic(first["pOutInfo"]))
        assert second == {"functionName": "iReadCardBas_HSM_Step2", "success": 1, "pOutInfo": BASIC}
        address = "DF04EF05|84|$"
        first = await his.say(function="iReadCard_HSM_Step1", iType=1, pCardInfo=INFO, pFileAddr=address)
        second = await his.say(function="ReadCard_HSM_Step2", pKey=OFFICE.key(first["pOutInfo"]))
        assert second == {"functionName": "iReadCard_HSM_Step2", "success": 1, "pOutInfo": "DF04EF05|510101|$"}


async def test_what_a_page_holds_ends_with_its_connection(tmp_path: Path) -> None:
    async with counter(tmp_path) as (desk, port):
        async with page(port, "/") as his:
            assert (await his.say(function="iReadCardBas_HSM_Step1", iType=3))["success"] == 1
            refused = await desk.call("lease.acquire", reader="reader-0", wait_s=0)
            assert refused == {}
        assert (await _leased(desk))["lease"]


async def _leased(desk: Desk) -> dict[str, Any]:
    for _ in range(200):
        if leased := await desk.call("lease.acquire", reader="reader-0", wait_s=0):
            return leased
        await asyncio.sleep(0.01)
    raise AssertionError("never let go of")


async def test_a_page_whose_connection_is_cut_holds_nothing_either(tmp_path: Path) -> None:
    async with counter(tmp_path) as (desk, port), page(port) as his:
        lease = await his.call("lease.acquire", reader="reader-0")
        assert lease["result"]["lease"]
        his.socket.transport.abort()
        assert (await _leased(desk))["lease"]


async def test_the_projects_messages_and_events_go_by_the_other_path(tmp_path: Path) -> None:
    async with counter(tmp_path) as (desk, port), page(port) as his:
        assert his.socket.subprotocol == "cardd"
        assert (await his.call("session.hello", client="his", api=1))["result"]["rights"]
        subscription = (await his.call("events.subscribe", after="now"))["result"]["subscription"]
        read = await his.call("card.read", purpose="registration")
        assert read["result"]["holder"]["name"] == "测试辛"
        await desk.remove()
        while (message := await his.read())["params"]["event"]["type"] != "org.cardd.card.removed.v1":
            pass
        assert message["params"]["subscription"] == subscription
        disclosed = await recorded(tmp_path, "personal.disclosed")
        assert disclosed[-1]["client"] == f"{CLIENT}/his"


async def test_a_message_may_have_line_breaks_and_is_one_all_the_same(tmp_path: Path) -> None:
    async with counter(tmp_path) as (_, port), page(port) as his:
        await his.socket.send('{"jsonrpc": "2.0",\r\n "id": 7,\n "method": "readers.list"}\n')
        assert (await his.read())["id"] == 7
        await his.socket.send("{")
        assert (await his.read())["error"]["code"] == -32700


async def test_a_page_has_the_rights_of_the_gateways_row_and_what_it_lacks_is_on_record(tmp_path: Path) -> None:
    async with counter(tmp_path, grant=["till"]) as (_, port):
        async with page(port) as his:
            error = (await his.call("card.read", purpose="registration"))["error"]
            assert (error["data"]["reason"], error["data"]["right"]) == ("FORBIDDEN", "personal")
            assert "测试辛" not in str(await his.call("card.read"))
        async with page(port, "/") as his:
            refused = await his.say(function="iReadCardBas", iType=3)
            assert (refused["success"], "权限" in refused["pOutInfo"]) == (-13, True)
        denied = await recorded(tmp_path, "access.denied")
        assert {(one["client"], one["right"]) for one in denied} == {(CLIENT, "personal"), (CLIENT, "driver")}


@pytest.mark.parametrize(
    ("how", "number", "missing"),
    [
        ({"origin": "https://foreign.example"}, 403, "web.origin"),
        ({"origin": None}, 403, "web.origin"),
        ({"host": "rebound.example"}, 403, "web.host"),
        ({"protocols": ()}, 401, "web.token"),
        ({"protocols": ("cardd", "cardd.token." + "x" * 32)}, 401, "web.token"),
    ],
)
async def test_who_is_not_to_come_in_has_a_plain_answer_before_the_upgrade_and_is_on_record_once(
    tmp_path: Path, how: dict[str, Any], number: int, missing: str
) -> None:
    async with counter(tmp_path) as (_, port):
        for path in ("/rpc", "/", "/nothing"):
            assert (await status(port, path, **how))[0] == number
        (denied,) = await recorded(tmp_path, "access.denied")
        assert denied == {"client": "web", "method": "web.open", "right": missing, "count": 1}
    # the others of that minute are counted, and told at the end
    async with whole_daemon(tmp_path):
        assert [one["count"] for one in await recorded(tmp_path, "access.denied")] == [1, 2]


async def test_where_nothing_is_spoken_a_page_is_told_so(tmp_path: Path) -> None:
    async with counter(tmp_path) as (_, port):
        code, text = await status(port, "/nothing")
        assert (code, "/rpc" in text) == (404, True)
        assert await recorded(tmp_path, "access.denied") == []


async def test_a_request_that_is_no_websockets_is_told_what_is_wanted(tmp_path: Path) -> None:
    async with counter(tmp_path) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /?token={TOKEN} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: {ORIGIN}\r\n\r\n".encode())
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 426 ")
        assert TOKEN.encode() not in answer
        assert b"access-control" not in answer.lower()
        writer.close()


async def test_with_a_certificate_pages_come_by_wss_alone(tmp_path: Path) -> None:
    made = Certificates.make(tmp_path / "tls")
    files = {"certificate_file": str(made.centre), "key_file": str(made.centre_key)}
    trusting = ssl.create_default_context(cafile=str(made.ca))
    async with counter(tmp_path, **files) as (_, port):
        async with page(port, "/", host="localhost", tls=trusting) as his:
            assert (await his.say(function="iReadCardBas", iType=3))["pOutInfo"] == BASIC
        with pytest.raises((OSError, EOFError, Exception)) as caught:
            async with page(port, "/", open_timeout=2):
                pass
        assert not isinstance(caught.value, InvalidStatus)


async def test_pages_are_told_the_end_of_the_daemon_and_their_subscriptions_have_all_of_it(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with counter(tmp_path) as (_, port):
            his = await stack.enter_async_context(page(port))
            shaped = await stack.enter_async_context(page(port, "/"))
            await his.call("events.subscribe", after="now")
        types = []
        with contextlib.suppress(Exception):
            while True:
                types.append((await his.read())["params"]["event"]["type"])
        assert types[-1] == "org.cardd.service.stopping.v1"
        await shaped.socket.wait_closed()
        assert (his.socket.close_code, shaped.socket.close_code) == (1001, 1001)


async def test_calls_that_come_at_once_are_answered_in_their_order(tmp_path: Path) -> None:
    async with counter(tmp_path) as (_, port), page(port, "/") as his:
        for number in range(20):
            await his.socket.send(f'{{"function": "f{number}"}}')
        assert [(await his.read())["functionName"] for _ in range(20)] == [f"f{number}" for number in range(20)]


async def test_a_page_that_goes_while_its_pin_is_awaited_lets_go_of_the_card(tmp_path: Path) -> None:
    async with counter(tmp_path) as (desk, port):
        async with page(port, "/") as his:
            await his.socket.send('{"function": "iVerifyPIN", "iType": 1}')
            await desk.until("prompt.opened")
        await eventually(lambda: _quiet(port))


async def _quiet(port: int) -> bool:
    async with page(port) as his:
        listed = await his.call("readers.list")
        return "result" in listed


async def test_no_page_is_let_in_where_the_configuration_has_none(tmp_path: Path) -> None:
    port = free_port()
    async with whole_daemon(tmp_path):
        with pytest.raises(OSError, match="Connect call failed"):
            async with page(port):
                pass
