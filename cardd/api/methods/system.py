"""The daemon as a whole."""

from typing import cast

from cardd.api.method import Call, Look, Method
from cardd.api.rights import Right
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.wire.methods import SYSTEM_METRICS, SYSTEM_STATUS
from cardd.wire.system import NoParams, SystemMetricsResult, SystemStatus


def _status(call: Call, _: NoParams) -> SystemStatus:
    # its parts tell what they know: tests hold it against this
    return cast(SystemStatus, call.office.services.status())


async def _metrics(call: Call, _: NoParams) -> SystemMetricsResult:
    metrics = call.office.services.metrics
    if metrics is None:
        raise CarddError(Reason.NOT_FOUND, "nothing is measured here")
    return SystemMetricsResult(text=await metrics())


METHODS = (
    Look(SYSTEM_STATUS, Right.OBSERVE, _status),
    Method(SYSTEM_METRICS, Right.OBSERVE, _metrics),
)
