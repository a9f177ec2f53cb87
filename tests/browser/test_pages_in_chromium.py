"""Pages in a real browser, on a whole daemon: written as existing pages are, and shown as their servers show them."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import pytest
from support.browser import Browser, Site, site
from support.exchanges import EVERYTHING, told, whole_daemon
from support.pages import PROTOCOLS, TOKEN, as_yaml, free_port, web

from cardsim.centre.certificates import Certificates

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]

HIS: Final = "his.example"
UNSECURED: Final[Mapping[str, str]] = MappingProxyType({})
POLICY: Final = Path(__file__).parents[2] / "packaging" / "chromium" / "cardd.json"
BASIC: Final = (
    "510100|510101190001010086|T00000087|510100D156000005C0FFEE08FFFFFFFF|测试辛|0081544C9686845101C0FFEE08|3.00|"
    "20240102|20340102|510100000001||"
)

EXISTING: Final = """
// one connection for all calls, the first call waits for it; answers come to one function
var url = ADDRESS, websocket, connected = false;
function sendMessage(text) { websocket.send(text); }
function ConnectServer(callback, value) {
  websocket = new WebSocket(url);
  websocket.onopen = function () { connected = true; callback(value); };
  websocket.onclose = function () { connected = false; };
  websocket.onmessage = function (e) { cardProduceMessage(eval('(' + e.data + ')')); };
  websocket.onerror = function () { report('error'); };
}
function call(what) {
  var data = JSON.stringify(what);
  connected ? sendMessage(data) : ConnectServer(sendMessage, data);
}
var told = [];
function cardProduceMessage(answer) {
  told.push(answer);
  if (answer.functionName == 'iReadCardBas' && answer.success == '1') {
    call({'function': 'iReadCardBas', 'iType': 2});
  } else if (answer.functionName == 'iReadCardBas' && answer.success == -2) {
    call({'function': 'iReadIdentityCard'});
  } else {
    report(told);
  }
}
call({'function': 'iReadCardBas', 'iType': 3});
"""

OWN: Final = """
const socket = new WebSocket(ADDRESS, PROTOCOLS);
const told = [];
socket.onerror = () => report('error');
socket.onopen = () => {
  told.push(socket.protocol);
  socket.send(JSON.stringify({jsonrpc: '2.0', id: 1, method: 'events.subscribe', params: {after: 'earliest'}}));
};
socket.onmessage = e => {
  const message = JSON.parse(e.data);
  if (message.method === 'event' && message.params.event.type === 'org.cardd.card.identified.v1') {
    socket.send(JSON.stringify({jsonrpc: '2.0', id: 2, method: 'card.read', params: {purpose: 'registration'}}));
  } else if (message.id === 2) {
    told.push(message.result.holder.name);
    report(told);
  }
};
"""


class Counter:
    """A daemon with a card in its reader, whose pages come from one site."""

    def __init__(self, directory: Path, his: Site, port: int) -> None:
        self._directory = directory
        self._site = his
        self._port = port

    async def show(
        self,
        host: str = HIS,
        *flags: str,
        address: str = "ws://127.0.0.1:{port}/?token={token}",
        script: str = EXISTING,
        trusts: Path | None = None,
        policy: Mapping[str, object] | None = None,
    ) -> Any:
        """Show a page and return what it reports."""
        reached = json.dumps(address.format(port=self._port, token=TOKEN))
        self._site.script = script.replace("ADDRESS", reached).replace("PROTOCOLS", json.dumps(PROTOCOLS))
        browser = Browser(trusts=trusts, policy=policy or {})
        return await asyncio.to_thread(browser.show, self._site, host, *flags)

    def lies(self, where: str) -> str:
        """Return what makes the browser take the site for one of the Internet (public) or of the local network."""
        return f"--ip-address-space-overrides=127.0.0.1:{self._site.port}={where}"

    def policy(self) -> dict[str, object]:
        """Return the policy that is shipped, with this site's origin in the place of the example's."""
        text = POLICY.read_text(encoding="utf-8")
        written: dict[str, object] = json.loads(text.replace("https://his.example", self._site.origin(HIS)))
        return written

    def origin(self) -> str:
        return self._site.origin(HIS)

    async def denied(self) -> list[str]:
        """Return what those lacked who were refused."""
        events = await told(self._directory / "cardd.sock")
        return [event["data"]["right"] for event in events if event["type"] == "org.cardd.access.denied.v1"]


@contextlib.asynccontextmanager
async def counter(
    directory: Path, tls: ssl.SSLContext | None = None, *, shown: Mapping[str, str] = UNSECURED, tokenless: bool = False
) -> AsyncIterator[Counter]:
    port = free_port()
    with site(tls) as his:
        origins = [his.origin(HIS)]
        section = web(directory, port, origins=origins, without_token=origins if tokenless else [], **shown)
        async with whole_daemon(directory, grant=EVERYTHING, more=as_yaml(section)) as desk:
            await desk.call("events.subscribe", after="now")
            await desk.insert("p3-3.0-sm4")
            await desk.until("card.identified")
            yield Counter(directory, his, port)


def secured(directory: Path) -> tuple[Certificates, ssl.SSLContext]:
    made = Certificates.make(directory / "tls")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.centre, made.centre_key)
    return made, context


def read(told: Any) -> bool:
    """Tell whether a page like the existing ones has read the card, and been told of failures in numbers."""
    assert [one["functionName"] for one in told] == ["iReadCardBas", "iReadCardBas", "iReadIdentityCard"]
    assert [one["success"] for one in told] == [1, -2, -13]
    return bool(told[0]["pOutInfo"] == BASIC)


async def test_a_page_like_the_existing_ones_reads_a_card_and_is_told_of_failures(tmp_path: Path) -> None:
    async with counter(tmp_path) as at:
        assert read(await at.show())
        assert read(await at.show(address="ws://localhost:{port}/?token={token}"))
        assert await at.denied() == []


async def test_a_page_of_a_foreign_origin_is_refused_though_it_knows_the_token(tmp_path: Path) -> None:
    async with counter(tmp_path) as at:
        assert await at.show("foreign.example") == "error"
        assert await at.denied() == ["web.origin"]


async def test_a_page_without_the_token_is_refused(tmp_path: Path) -> None:
    async with counter(tmp_path) as at:
        assert await at.show(address="ws://127.0.0.1:{port}/") == "error"
        assert await at.denied() == ["web.token"]


async def test_a_page_with_another_drivers_address_built_in_reads_a_card_where_its_origin_needs_no_token(
    tmp_path: Path,
) -> None:
    async with counter(tmp_path, tokenless=True) as at:
        assert read(await at.show(address="ws://127.0.0.1:{port}"))
        assert await at.show("foreign.example", address="ws://127.0.0.1:{port}") == "error"
        assert await at.show(script=OWN.replace(", PROTOCOLS", ""), address="ws://127.0.0.1:{port}/rpc") == "error"
        assert await at.denied() == ["web.origin", "web.token"]


async def test_a_name_that_was_bent_to_this_machine_is_refused(tmp_path: Path) -> None:
    async with counter(tmp_path) as at:
        assert await at.show(address="ws://rebound.example:{port}/?token={token}") == "error"
        assert await at.denied() == ["web.host"]


async def test_a_page_of_todays_shows_the_token_as_a_subprotocol_and_follows_events(tmp_path: Path) -> None:
    async with counter(tmp_path) as at:
        assert await at.show(script=OWN, address="ws://127.0.0.1:{port}/rpc") == ["cardd", "测试辛"]


async def test_a_page_that_came_by_https_may_come_by_ws_to_this_machine_itself(tmp_path: Path) -> None:
    made, tls = secured(tmp_path)
    async with counter(tmp_path, tls) as at:
        assert read(await at.show(trusts=made.centre))


async def test_a_page_comes_by_wss_where_the_certificate_is_trusted_and_not_where_it_is_not(tmp_path: Path) -> None:
    made, tls = secured(tmp_path)
    files = {"certificate_file": str(made.centre), "key_file": str(made.centre_key)}
    async with counter(tmp_path, tls, shown=files) as at:
        assert read(await at.show(trusts=made.centre, address="wss://localhost:{port}/?token={token}"))
    async with counter(tmp_path, None, shown=files) as at:
        assert await at.show(address="wss://localhost:{port}/?token={token}") == "error"


async def test_the_browser_itself_keeps_pages_of_the_internet_away_unless_the_shipped_policy_names_them(
    tmp_path: Path,
) -> None:
    made, tls = secured(tmp_path)
    async with counter(tmp_path, tls) as at:
        assert await at.show(HIS, at.lies("public"), trusts=made.centre) == "error"
        assert await at.denied() == []
        for name, value in at.policy().items():
            assert read(await at.show(HIS, at.lies("public"), trusts=made.centre, policy={name: value})), name


async def test_a_page_of_the_local_network_is_let_through_by_the_browser_as_it_is(tmp_path: Path) -> None:
    async with counter(tmp_path) as at:
        assert read(await at.show(HIS, at.lies("local")))


async def test_a_page_of_the_internet_that_came_by_plain_http_needs_one_policy_more(tmp_path: Path) -> None:
    async with counter(tmp_path) as at:
        policy = {name: [at.origin()] for name in at.policy()}
        assert await at.show(HIS, at.lies("public"), policy=policy) == "error"
        policy["OverrideSecurityRestrictionsOnInsecureOrigin"] = [at.origin()]
        assert read(await at.show(HIS, at.lies("public"), policy=policy))
