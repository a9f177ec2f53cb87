"""Waiting for an answer by a clock that tests turn."""

import asyncio

import pytest
from support.readers import ManualClock

from cardd.activation.timing import within
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason

pytestmark = pytest.mark.asyncio


class Work:
    """Work that ends when it is told to, and knows whether it was cancelled."""

    def __init__(self) -> None:
        self.told = asyncio.Event()
        self.cancelled = False

    async def __call__(self) -> str:
        try:
            await self.told.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return "done"


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_an_answer_in_time_is_returned_and_leaves_no_alarm_behind() -> None:
    clock, work = ManualClock(), Work()
    waiting = asyncio.create_task(within(clock, 2.0, work()))
    await settled()
    work.told.set()
    assert await waiting == "done"
    clock.advance(5.0)
    await settled()
    assert not work.cancelled


async def test_work_that_takes_too_long_is_cancelled_and_told_as_a_timeout() -> None:
    clock, work = ManualClock(), Work()
    waiting = asyncio.create_task(within(clock, 2.0, work()))
    await settled()
    clock.advance(1.9)
    await settled()
    assert not waiting.done()
    clock.advance(0.2)
    with pytest.raises(CarddError) as caught:
        await waiting
    assert (caught.value.reason, work.cancelled) == (Reason.TIMEOUT, True)


async def test_who_is_cancelled_while_waiting_is_cancelled_and_the_work_with_it() -> None:
    work = Work()
    waiting = asyncio.create_task(within(ManualClock(), 2.0, work()))
    await settled()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert work.cancelled


async def test_a_time_out_of_the_work_itself_stays_what_it_is() -> None:
    async def failing() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await within(ManualClock(), 2.0, failing())
