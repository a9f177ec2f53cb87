"""Waiting by the Clock that was passed in, so that tests may turn it."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from cardd.base.clock import Clock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason

T = TypeVar("T")


async def sleep(clock: Clock, seconds: float) -> None:
    """Return after so many seconds of that clock."""
    over = asyncio.Event()
    timer = clock.call_later(seconds, over.set)
    try:
        await over.wait()
    finally:
        timer.cancel()


async def within(clock: Clock, seconds: float, work: Awaitable[T]) -> T:
    """Return what the work returns; after so many seconds cancel it and raise CarddError(TIMEOUT)."""
    loop = asyncio.get_running_loop()
    # a limit without a time, which the clock sets: so the work needs no task of its own, and its answer no way around
    limit = asyncio.timeout(None)
    try:
        async with limit:
            timer = clock.call_later(seconds, lambda: limit.reschedule(loop.time()))
            try:
                return await work
            finally:
                timer.cancel()
    except TimeoutError:
        if not limit.expired():
            raise
        raise CarddError(Reason.TIMEOUT, f"no answer in {seconds:g} s") from None
