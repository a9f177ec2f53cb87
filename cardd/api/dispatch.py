"""From a request to its answer: find the row, check the right, read the parameters, call, and put errors into words."""

from collections.abc import Mapping

import msgspec

from cardd.api.faults import log_fault
from cardd.api.leasing import judge_held
from cardd.api.method import Call, Method
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.wire import rpc
from cardd.wire.base import Params

_NAME_CHARACTERS = 100

Methods = Mapping[str, Method[Params, object]]


async def answer(methods: Methods, request: rpc.Request, call: Call) -> bytes:
    """Carry out a request and return the line to send back."""
    identity = None if isinstance(request.id, msgspec.UnsetType) else request.id
    try:
        line = rpc.success(identity, await _result(methods, request, call))
        if len(line) > call.office.limits.line_bytes:
            raise CarddError(Reason.INTERNAL, "the answer does not fit a line")  # noqa: TRY301 - answered as any other
    except rpc.RpcError as error:
        return rpc.failure(identity, error.code, error.error)
    except CarddError as error:
        call.office.services.refused(request.method, str(error.reason))
        return rpc.failure(identity, _CODES.get(error.reason, rpc.Code.REFUSED), judge_held(call, error))
    except Exception as fault:  # noqa: BLE001 - whatever it was, the client is told and the connection lives
        log_fault("a method failed", fault, method=request.method)
        call.office.services.refused(request.method, str(Reason.INTERNAL))
        return rpc.failure(identity, rpc.Code.INTERNAL, CarddError(Reason.INTERNAL))
    return line


_CODES = {Reason.INVALID: rpc.Code.INVALID_PARAMS, Reason.INTERNAL: rpc.Code.INTERNAL}


async def _result(methods: Methods, request: rpc.Request, call: Call) -> object:
    row = methods.get(request.method)
    if row is None:
        error = CarddError(Reason.NOT_FOUND, f"there is no method `{request.method[:_NAME_CHARACTERS]}`")
        raise rpc.RpcError(rpc.Code.METHOD_NOT_FOUND, error)
    if row.right is not None:
        await call.require(row.right)
    return await row.handler(call, rpc.decode_params(request.params, row.signature.params))
