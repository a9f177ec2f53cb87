"""A clock that is set while the daemon runs is told of, by the status and by `cardctl doctor`."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from support.matrix_house import House
from support.people import invent

from cardd.client.blocking import Client
from cardd.wire.methods import SYSTEM_STATUS
from cardd.wire.system import ClockStatus, NoParams


async def clock_of(house: House) -> ClockStatus:
    def ask() -> ClockStatus:
        with Client.connect(house.directory / "cardd.sock") as client:
            return client.call(SYSTEM_STATUS, NoParams())["clock"]

    return await asyncio.to_thread(ask)


@pytest.mark.asyncio
async def test_by_how_much_the_clock_was_set_is_told_and_time_that_passes_is_not_counted(tmp_path: Path) -> None:
    house = House(tmp_path / "h", 1)
    invent(house.directory, 1)
    await house.begin()
    assert await clock_of(house) == {"set_by_s": 0, "ahead": False}
    house.clock.leap(5 * 86400)
    assert await clock_of(house) == {"set_by_s": 0, "ahead": False}
    for by, told in ((timedelta(days=400), 400 * 86400), (timedelta(days=-1), -86400), (timedelta(), 0)):
        house.clock.offset = by
        assert (await clock_of(house)).get("set_by_s") == told
    await house.end()
