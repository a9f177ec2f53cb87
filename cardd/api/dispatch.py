"""From a request to its answer: find the row, check the right, read the parameters, call, and put errors into words."""

from collections.abc import Callable, Mapping
from functools import partial

import msgspec

from cardd.api.faults import log_fault
from cardd.api.leasing import judge_held
from cardd.api.method import Call, Look, Method
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.wire import rpc
from cardd.wire.base import Params

_NAME_CHARACTERS = 100

Methods = Mapping[str, Method[Params, object] | Look[Params, object]]


async def answer(methods: Methods, request: rpc.Request, call: Call) -> Callable[[], bytes]:
    """Carry out a request and return what makes the line to send back, which is for the moment when it is sent.

    Many answers may wait for a client that does not read, and their lines may be long.
    """
    try:
        result = await _result(methods, request, call)
    except Exception as error:  # noqa: BLE001 - whatever it was, the client is told and the connection lives
        refusal = _refused(request, call, error)
        return lambda: refusal
    return partial(_line, request, call, result)


def _line(request: rpc.Request, call: Call, result: object) -> bytes:
    try:
        return _told(request, call, result)
    except Exception as error:  # noqa: BLE001 - as above
        return _refused(request, call, error)


def answer_at_once(methods: Methods, request: rpc.Request, call: Call) -> bytes | None:
    """Carry out a request that waits for nothing, and return the line to send back; None for any other request.

    Who has not the right to it is among the others: that goes on record first.
    """
    row = methods.get(request.method)
    if not isinstance(row, Look) or (row.right is not None and row.right not in call.session.rights):
        return None
    try:
        return _told(request, call, row.handler(call, rpc.decode_params(request.params, row.signature.params)))
    except Exception as error:  # noqa: BLE001 - as above
        return _refused(request, call, error)


def identity_of(request: rpc.Request) -> rpc.RequestId:
    """Return what an answer is marked with, None where none is awaited."""
    return None if request.id is msgspec.UNSET else request.id


def _told(request: rpc.Request, call: Call, result: object) -> bytes:
    line = rpc.success(identity_of(request), result)
    if len(line) > call.office.limits.line_bytes:
        raise CarddError(Reason.INTERNAL, "the answer does not fit a line")
    return line


_CODES = {Reason.INVALID: rpc.Code.INVALID_PARAMS, Reason.INTERNAL: rpc.Code.INTERNAL}


def _refused(request: rpc.Request, call: Call, error: Exception) -> bytes:
    identity, refused = identity_of(request), call.office.services.refused
    match error:
        case rpc.RpcError():
            return rpc.failure(identity, error.code, error.error)
        case CarddError():
            refused(request.method, str(error.reason))
            return rpc.failure(identity, _CODES.get(error.reason, rpc.Code.REFUSED), judge_held(call, error))
    log_fault("a method failed", error, method=request.method)
    refused(request.method, str(Reason.INTERNAL))
    return rpc.failure(identity, rpc.Code.INTERNAL, CarddError(Reason.INTERNAL))


async def _result(methods: Methods, request: rpc.Request, call: Call) -> object:
    row = methods.get(request.method)
    if row is None:
        error = CarddError(Reason.NOT_FOUND, f"there is no method `{request.method[:_NAME_CHARACTERS]}`")
        raise rpc.RpcError(rpc.Code.METHOD_NOT_FOUND, error)
    if row.right is not None:
        await call.require(row.right)
    params = rpc.decode_params(request.params, row.signature.params)
    return row.handler(call, params) if isinstance(row, Look) else await row.handler(call, params)
