"""The gateway for browser pages, put together as the configuration has it; where that says nothing, there is none."""

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cardd.api.rights import Rights, expand
from cardd.api.server import Server
from cardd.api.services import Limits
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.config import Config
from cardd.journal.keyfile import load_token
from cardd.web.admission import GATEWAY_UID, Terms, check_token
from cardd.web.options import WebOptions

if TYPE_CHECKING:
    from cardd.web.gateway import Gateway


class Pages:
    """The addresses that pages come to, from the start, and the gateway behind them once there is a server."""

    def __init__(self, config: Config) -> None:
        """Listen, and read what pages have to show and what they are shown. Raises CarddError(INVALID)."""
        self._web = config.web
        self._gateway: Gateway | None = None
        self._prepared = None if config.web is None else _Prepared(config.web)

    def open(self, server: Server, limits: Limits) -> None:
        """Begin to let pages in, for a server that serves them."""
        if self._prepared is not None:
            self._gateway = self._prepared.gateway(server, limits)
            self._gateway.open()

    def shut(self) -> None:
        """Let nobody in any more. May be called again."""
        if self._gateway is not None:
            self._gateway.shut()
        if self._prepared is not None:
            self._prepared.let_go()

    async def close(self) -> None:
        """Let go of all pages, once the server has said what it has to say."""
        if self._gateway is not None:
            await self._gateway.close()


class _Prepared:
    """What a gateway is made of."""

    def __init__(self, web: WebOptions) -> None:
        try:
            # asked for by those who have pages: the others need no WebSockets
            from cardd.web import gateway, shapes  # noqa: PLC0415
        except ImportError:
            raise CarddError(Reason.INVALID, "pages need the extra `web`: install cardd[web]") from None
        self._module = gateway
        self._settings = shapes.Settings(web.reader, web.keypad_digits)
        self._tls = None
        if web.certificate_file is not None and web.key_file is not None:
            self._tls = gateway.tls_of(Path(web.certificate_file), Path(web.key_file))
        self._terms = Terms(
            hosts=frozenset(web.hosts),
            origins=frozenset(web.origins),
            token=check_token(load_token(Path(web.token_file))),
            secure=self._tls is not None,
            without_token=frozenset((origin, shape.path) for origin in web.without_token for shape in shapes.SHAPES),
        )
        self._listening: Sequence[socket.socket] = gateway.listen_on(web.addresses())

    def gateway(self, server: Server, limits: Limits) -> "Gateway":
        """Return the gateway to a server."""
        return self._module.Gateway(
            self._listening, server, self._terms, tls=self._tls, settings=self._settings, limits=limits
        )

    def let_go(self) -> None:
        """Close what is listened on."""
        for sock in self._listening:
            sock.close()


def rights_of_pages(config: Config, rights: Rights) -> Rights:
    """Return a table in which all pages together are one user more."""
    return rights if config.web is None else rights.and_for(GATEWAY_UID, expand(config.web.grant))
