"""Activations: begun, looked at, cancelled."""

import msgspec

from cardd.api.audit import Disclosure, fields_beyond
from cardd.api.leasing import end_steps
from cardd.api.method import Call, Method, seconds
from cardd.api.rights import Right
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.wire.activation import (
    ActivationIdParams,
    ActivationListParams,
    ActivationListResult,
    ActivationResult,
    ActivationStartParams,
)
from cardd.wire.incident import ActivationIncidentParams, Incident
from cardd.wire.methods import (
    ACTIVATION_CANCEL,
    ACTIVATION_GET,
    ACTIVATION_INCIDENT,
    ACTIVATION_LIST,
    ACTIVATION_START,
)

_LIST_MOST = 1000


async def _start(call: Call, params: ActivationStartParams) -> ActivationResult:
    wait_s = seconds(params.wait_s, "$.wait_s")
    await call.personal_for(params.purpose)
    end_steps(call)
    activations, deeds = call.office.services.activations, call.office.deeds
    identity = await deeds.carry_out(activations.start(params, client=call.session.client))
    if wait_s:
        await activations.wait_end(identity, wait_s)
    return await _view(call, identity, params.purpose)


async def _get(call: Call, params: ActivationIdParams) -> ActivationResult:
    await call.personal_for(params.purpose)
    return await _view(call, params.activation, params.purpose)


async def _list(call: Call, params: ActivationListParams) -> ActivationListResult:
    if not 1 <= params.limit <= _LIST_MOST:
        raise CarddError(Reason.INVALID, f"a limit is 1 to {_LIST_MOST}", path="$.limit")
    views = await call.office.services.activations.list(open_only=params.open_only, limit=params.limit)
    return ActivationListResult(activations=list(views))


async def _cancel(call: Call, params: ActivationIdParams) -> ActivationResult:
    await call.personal_for(params.purpose)
    await call.office.deeds.carry_out(call.office.services.activations.cancel(params.activation))
    return await _view(call, params.activation, params.purpose)


async def _incident(call: Call, params: ActivationIncidentParams) -> Incident:
    return await call.office.services.activations.incident(params.activation)


async def _view(call: Call, identity: str, purpose: str | None) -> ActivationResult:
    """Return an activation as this client may see it; whole, where the purpose was granted, after it is on record."""
    masked = await call.office.services.activations.view(identity, personal=False)
    if purpose is None:
        return masked
    whole = await call.office.services.activations.view(identity, personal=True)
    if whole.personal is not None:
        # it is as masked as the other one
        return whole
    fields = fields_beyond(msgspec.to_builtins(masked), msgspec.to_builtins(whole))
    disclosure = Disclosure(
        client=call.session.client,
        purpose=purpose,
        method=call.method,
        fields=fields,
        subject=whole.station,
        correlation=identity,
    )
    await call.office.audit.disclosed([disclosure])
    return whole


METHODS = (
    Method(ACTIVATION_START, Right.ACTIVATE, _start),
    Method(ACTIVATION_GET, Right.OBSERVE, _get),
    Method(ACTIVATION_LIST, Right.OBSERVE, _list),
    Method(ACTIVATION_CANCEL, Right.ACTIVATE, _cancel),
    Method(ACTIVATION_INCIDENT, Right.AUDIT, _incident),
)
