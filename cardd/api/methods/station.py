"""Stations and readers in an operator's hands."""

from cardd.api.method import Call, Method
from cardd.api.rights import Right
from cardd.api.services import StationService
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.wire.methods import STATION_CLEAR
from cardd.wire.stations import StationClearParams, StationClearResult


async def _clear(call: Call, params: StationClearParams) -> StationClearResult:
    return await call.office.deeds.carry_out(_stations(call).clear(params, client=call.session.client))


def _stations(call: Call) -> StationService:
    stations = call.office.services.stations
    if stations is None:
        raise CarddError(Reason.NOT_FOUND, "stations are not operated here")
    return stations


METHODS = (Method(STATION_CLEAR, Right.OPERATE, _clear),)
