"""Questions over HTTP: whom persons' data may be sent to, and an answer that cannot grow without end."""

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason

if TYPE_CHECKING:
    # an extra: who asks brings it along
    import httpx

ANSWER_BYTES: Final = 64 * 1024
NO_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are no JSON, or not of the type that was asked for."""

_OWN_MACHINE: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class EndlessAnswerError(ValueError):
    """An answer is longer than any can be."""


def host_of(url: str) -> str:
    """Return the host of an address that persons' data may go to.

    Raises CarddError(INVALID) for an address that is none, or that is plain HTTP to another machine.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise CarddError(Reason.INVALID, "that is no address") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise CarddError(Reason.INVALID, "the address begins with https://")
    if parts.scheme == "http" and parts.hostname not in _OWN_MACHINE:
        raise CarddError(Reason.INVALID, "plain http is for this machine itself: use https")
    return parts.hostname


async def post(
    client: "httpx.AsyncClient", url: str, body: bytes, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """Post JSON and return the status and the answer's body, of at most 64 KiB.

    Raises EndlessAnswerError, and what the client raises. It has no deadline: that is one for more than a post.
    """
    request = client.build_request(
        "POST", url, content=body, headers={"content-type": "application/json", **(headers or {})}
    )
    response = await client.send(request, stream=True)
    try:
        answer = b""
        async for part in response.aiter_bytes():
            answer += part
            if len(answer) > ANSWER_BYTES:
                raise EndlessAnswerError
        return response.status_code, answer
    finally:
        await response.aclose()
