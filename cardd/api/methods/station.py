"""Stations and readers in an operator's hands."""

from cardd.api.leasing import end_steps
from cardd.api.method import Call, Method
from cardd.api.rights import Right
from cardd.api.services import StationService
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.wire.methods import READER_LEND, READER_TAKE_BACK, STATION_CLEAR
from cardd.wire.stations import (
    ReaderLendParams,
    ReaderLendResult,
    ReaderTakeBackResult,
    StationClearParams,
    StationClearResult,
)


async def _clear(call: Call, params: StationClearParams) -> StationClearResult:
    return await call.office.deeds.carry_out(_stations(call).clear(params, client=call.session.client))


async def _lend(call: Call, params: ReaderLendParams) -> ReaderLendResult:
    end_steps(call)
    stations, holder = _stations(call), call.session.name
    lent = await stations.lend(params, holder=holder, client=call.session.client)
    if call.session.left:
        # it closed its sending side meanwhile, and what it held then was let go: nobody would end this
        stations.take_back(ReaderLendParams(reader=lent.reader), holder=holder)
        raise CarddError(Reason.LEASE_LOST, "a connection that can send nothing more is lent no reader")
    return lent


async def _take_back(call: Call, params: ReaderLendParams) -> ReaderTakeBackResult:
    return _stations(call).take_back(params, holder=call.session.name)


def _stations(call: Call) -> StationService:
    stations = call.office.services.stations
    if stations is None:
        raise CarddError(Reason.NOT_FOUND, "stations are not operated here")
    return stations


METHODS = (
    Method(READER_LEND, Right.OPERATE, _lend),
    Method(READER_TAKE_BACK, Right.OPERATE, _take_back),
    Method(STATION_CLEAR, Right.OPERATE, _clear),
)
