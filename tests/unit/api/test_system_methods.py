"""What the socket tells of the daemon as a whole."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from cardd.api.method import Call, Method
from cardd.api.methods import METHODS
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.wire.system import NoParams, SystemMetricsResult

pytestmark = pytest.mark.asyncio


def asked(metrics: Any) -> Call:
    return cast("Call", SimpleNamespace(office=SimpleNamespace(services=SimpleNamespace(metrics=metrics))))


async def answered(call: Call) -> object:
    row = METHODS["system.metrics"]
    # it waits for figures, so it is no row that is answered on the spot
    assert isinstance(row, Method)
    return await row.handler(call, NoParams())


async def test_what_is_measured_is_told_as_it_is() -> None:
    async def metrics() -> str:
        return "cards_read_total 3\n# EOF\n"

    told = await answered(asked(metrics))
    assert told == SystemMetricsResult(text="cards_read_total 3\n# EOF\n")


async def test_where_nothing_is_measured_there_is_no_such_thing() -> None:
    with pytest.raises(CarddError) as caught:
        await answered(asked(None))
    assert caught.value.reason is Reason.NOT_FOUND
