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
    task, over = asyncio.ensure_future(work), asyncio.Event()
    task.add_done_callback(lambda _: over.set())
    timer = clock.call_later(seconds, over.set)
    try:
        await over.wait()
        if task.done():
            return task.result()
        raise CarddError(Reason.TIMEOUT, f"no answer in {seconds:g} s")
    finally:
        timer.cancel()
        task.cancel()
