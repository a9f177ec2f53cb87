"""The greeting."""

from cardd import __version__
from cardd.api.method import Call, Look
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.wire.methods import SESSION_HELLO
from cardd.wire.session import API, HelloParams, HelloResult, Limits

_NAME_CHARACTERS = 64


def _hello(call: Call, params: HelloParams) -> HelloResult:
    if params.api != API:
        raise CarddError(Reason.INVALID, f"this daemon speaks api {API}", path="$.api", api=API)
    if params.client is not None:
        if not 1 <= len(params.client) <= _NAME_CHARACTERS or not params.client.isprintable():
            detail = f"a client's name is 1 to {_NAME_CHARACTERS} printable characters"
            raise CarddError(Reason.INVALID, detail, path="$.client")
        call.session.program = params.client
    limits = call.office.limits
    return HelloResult(
        daemon="cardd",
        version=__version__,
        api=API,
        stream=call.office.feed.stream,
        rights=sorted(call.session.rights),
        limits=Limits(line_bytes=limits.line_bytes, connections=limits.connections, requests=limits.requests),
    )


METHODS = (Look(SESSION_HELLO, None, _hello),)
