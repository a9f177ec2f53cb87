"""The national terminal driver's functions."""

from cardd.api.audit import Disclosure
from cardd.api.method import Call, Method, seconds
from cardd.api.rights import Right
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.wire.driver import DriverCallParams, DriverCallResult
from cardd.wire.methods import DRIVER_CALL


async def _call(call: Call, params: DriverCallParams) -> DriverCallResult:
    await call.require(Right.PERSONAL)
    seconds(params.wait_s, "$.wait_s")
    purpose = params.function if params.purpose is None else params.purpose
    await call.personal_for(purpose)
    driver = call.office.services.driver
    if driver is None:
        raise CarddError(Reason.NOT_FOUND, "the driver's functions are not served here")
    session = call.session
    work = driver.call(params, holder=session.name, client=session.client, heard=lambda: not session.left)
    answer = await call.office.deeds.carry_out(work)
    if session.left:
        # what it holds by now nobody would end
        call.office.services.leave(session.name)
    if answer.fields:
        disclosure = Disclosure(
            client=session.client,
            purpose=purpose,
            method=call.method,
            fields=answer.fields,
            subject=answer.reader or "card",
            insertion=answer.insertion,
        )
        await call.office.audit.disclosed([disclosure])
    return DriverCallResult(code=answer.code, out=answer.out)


METHODS = (Method(DRIVER_CALL, Right.DRIVER, _call),)
