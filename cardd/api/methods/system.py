"""The daemon as a whole."""

from cardd.api.method import Call, Method
from cardd.api.rights import Right
from cardd.wire.methods import SYSTEM_STATUS
from cardd.wire.system import NoParams, SystemStatus


async def _status(call: Call, _: NoParams) -> SystemStatus:
    return dict(call.office.services.status())


METHODS = (Method(SYSTEM_STATUS, Right.OBSERVE, _status),)
