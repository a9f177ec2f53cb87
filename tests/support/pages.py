"""Pages for the gateway: what the configuration says of them, and programs that talk as browsers do."""

import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from cardd.api.services import Limits
from cardd.base.secret import Secret
from cardd.web.admission import Terms
from cardd.web.gateway import Gateway, listen_on
from cardd.web.shapes import Settings
from support.counter import Counter

TOKEN: Final = "0123456789abcdef" * 2
ORIGIN: Final = "https://his.example"
PROTOCOLS: Final = ("cardd", f"cardd.token.{TOKEN}")

Message = dict[str, Any]


def free_port() -> int:
    """Return a port of the loopback network that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def web(directory: Path, port: int, **changes: object) -> dict[str, object]:
    """Return the configuration's section, with the token in its file."""
    token = directory / "web.token"
    token.touch(mode=0o600)
    token.write_text(f"{TOKEN}\n", encoding="ascii")
    section: dict[str, object] = {
        "listen": [f"127.0.0.1:{port}"],
        "origins": [ORIGIN],
        "token_file": str(token),
        "grant": ["desk", "driver"],
    }
    return {**section, **changes}


def as_yaml(section: dict[str, object]) -> str:
    """Return the section as the end of a configuration file: YAML is more than JSON."""
    return f"\nweb: {json.dumps(section)}\n"


class Page:
    """A page with one WebSocket open."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self._number = 0

    async def say(self, **message: object) -> Message:
        """Send a message in the page's shape and return the answer."""
        await self.socket.send(json.dumps(message))
        return await self.read()

    async def call(self, method: str, **params: object) -> Message:
        """Call a method of the project's and return its whole answer."""
        self._number += 1
        request = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}
        await self.socket.send(json.dumps(request))
        while (message := await self.read()).get("id") != self._number:
            pass
        return message

    async def read(self) -> Message:
        message: Message = json.loads(await self.socket.recv())
        return message


@contextlib.asynccontextmanager
async def page(
    port: int,
    path: str = "/rpc",
    *,
    origin: str | None = ORIGIN,
    protocols: Sequence[str] = PROTOCOLS,
    host: str = "127.0.0.1",
    tls: ssl.SSLContext | None = None,
    receives: int = 1 << 20,
    **more: Any,
) -> AsyncIterator[Page]:
    """Open a page's WebSocket. `host` is what the page calls this machine; it comes to 127.0.0.1 all the same.

    The kernel takes about so many bytes that the page does not read.
    """
    sock = await _connected(port, receives)
    async with connect(
        f"{'ws' if tls is None else 'wss'}://{host}:{port}{path}",
        sock=sock,
        origin=None if origin is None else Origin(origin),
        subprotocols=[Subprotocol(one) for one in protocols] or None,
        ssl=tls,
        proxy=None,
        **more,
    ) as opened:
        yield Page(opened)


async def _connected(port: int, receives: int) -> socket.socket:
    sock = socket.socket()
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    except OSError:
        sock.close()
        raise
    return sock


@contextlib.asynccontextmanager
async def gateway(desk: Counter, limits: Limits | None = None, *, quiet_s: float = 20.0) -> AsyncIterator[int]:
    """Run a gateway before a counter and yield its port. Pages have the rights that the counter gives them."""
    port = free_port()
    terms = Terms(
        hosts=frozenset({"127.0.0.1", "localhost"}),
        origins=frozenset({ORIGIN}),
        token=Secret(TOKEN.encode()),
        secure=False,
    )
    opened = Gateway(
        listen_on([("127.0.0.1", port)]),
        desk.server,
        terms,
        settings=Settings(),
        limits=limits or Limits(),
        quiet_s=quiet_s,
    )
    opened.open()
    try:
        yield port
    finally:
        await opened.close()
