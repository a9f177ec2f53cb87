"""Who is let in: a request is judged by its Host, its Origin and its token before it becomes a WebSocket."""

import hmac
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Final, Protocol
from urllib.parse import parse_qsl

from cardd.api.peer import Peer
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.base.structs import Hidden, Struct

GATEWAY_UID: Final = 1 << 32
"""The user that all pages are together: the kernel has no such number, so nobody else can be it."""

PROTOCOL: Final = "cardd"
"""The subprotocol that is spoken where a page offers any."""

_TOKEN_PREFIX: Final = f"{PROTOCOL}.token."
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~-]{22,256}", re.ASCII)
_FIELDS: Final = 8
_PLAIN_PORTS: Final[Mapping[bool, int]] = {False: 80, True: 443}


class Missing(StrEnum):
    """What a request lacked, as it goes on record."""

    HOST = "web.host"
    ORIGIN = "web.origin"
    TOKEN = "web.token"  # noqa: S105 - a name


class Headers(Protocol):
    """The headers of a request."""

    def get_all(self, key: str, /) -> list[str]:
        """Return all values of a header, in any case of letters."""


class Terms(Struct, frozen=True):
    """Whom to let in: `hosts` are host names and addresses as they stand in URLs, `origins` whole ones of pages.

    `without_token` are origins and paths of pages that were written for a socket without any.
    """

    hosts: frozenset[str]
    origins: frozenset[str]
    token: Hidden[Secret]
    secure: bool
    without_token: frozenset[tuple[str, str]] = frozenset()


class Request(Struct, frozen=True):
    """A request to become a WebSocket, at one of our ports."""

    port: int
    address: Hidden[str]
    headers: Hidden[Headers]

    @property
    def path(self) -> str:
        """Return the address without what follows a question mark."""
        return self.address.partition("?")[0]

    @property
    def origin(self) -> str:
        """Return the page's origin; empty where there is not exactly one."""
        return _only(self.headers, "Origin")


class Refusal(Struct, frozen=True):
    """Why a request is not granted: a status of HTTP, a line for whoever looks, and what goes on record if anything."""

    status: HTTPStatus
    text: str
    missing: Missing | None = None


def judge(terms: Terms, request: Request) -> Refusal | None:
    """Judge a request; None lets it in. Host goes first: it tells a page that a name was bent to this machine for."""
    return next((refusal for rule in _RULES if (refusal := rule(terms, request))), None)


def peer_of(origin: str) -> Peer:
    """Return who a page is on record. Its origin is one of the configuration's."""
    return Peer(pid=0, uid=GATEWAY_UID, groups=frozenset(), user=f"web {origin}")


def check_token(token: Secret) -> Secret:
    """Return a token that pages can show. Raises CarddError(INVALID)."""
    if _TOKEN.fullmatch(token.reveal().decode("ascii")) is None:
        detail = "a page's token is 22 to 256 letters, digits and . _ ~ -: `openssl rand -hex 32` makes one"
        raise CarddError(Reason.INVALID, detail)
    return token


def _know_the_host(terms: Terms, request: Request) -> Refusal | None:
    host, colon, port = _only(request.headers, "Host").lower().rpartition(":")
    if not colon or port.endswith("]"):
        # no port: that of the scheme
        host, port = f"{host}{colon}{port}", str(_PLAIN_PORTS[terms.secure])
    if host in terms.hosts and port == str(request.port):
        return None
    return Refusal(HTTPStatus.FORBIDDEN, "This is not the host that was asked for (web.hosts).", Missing.HOST)


def _know_the_origin(terms: Terms, request: Request) -> Refusal | None:
    if request.origin in terms.origins:
        return None
    return Refusal(HTTPStatus.FORBIDDEN, "Pages of this origin are not served (web.origins).", Missing.ORIGIN)


def _know_the_token(terms: Terms, request: Request) -> Refusal | None:
    if (request.origin, request.path) in terms.without_token:
        return None
    shown = [*_offered(request.headers), *_in_address(request.address.partition("?")[2])]
    if any(hmac.compare_digest(one.encode(), terms.token.reveal()) for one in shown):
        return None
    return Refusal(HTTPStatus.UNAUTHORIZED, "The token is missing or wrong (web.token_file).", Missing.TOKEN)


_RULES: Final[tuple[Callable[[Terms, Request], Refusal | None], ...]] = (
    _know_the_host,
    _know_the_origin,
    _know_the_token,
)


def _offered(headers: Headers) -> list[str]:
    """Return the tokens among the subprotocols that a page offers."""
    offered = [one.strip() for line in headers.get_all("Sec-WebSocket-Protocol") for one in line.split(",")]
    return [one.removeprefix(_TOKEN_PREFIX) for one in offered if one.startswith(_TOKEN_PREFIX)]


def _in_address(query: str) -> list[str]:
    """Return the tokens in an address: for pages that were written for a socket without any, whose address is data."""
    try:
        fields = parse_qsl(query, max_num_fields=_FIELDS)
    except ValueError:
        return []
    return [value for name, value in fields if name == "token"]


def _only(headers: Headers, name: str) -> str:
    values = headers.get_all(name)
    return values[0].strip() if len(values) == 1 else ""
