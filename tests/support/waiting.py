"""Looking again and again until something is so: in a test's own thread, and on its event loop.

`what` is told when it does not come true, as it is then: a list that grows meanwhile is shown whole.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

_LOOK_S: Final = 0.005


def until(holds: Callable[[], object], what: object, seconds: float = 10.0) -> None:
    """Return when something is so. Raises AssertionError at that time."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"never came true: {what}"
        time.sleep(_LOOK_S)


async def became(holds: Callable[[], object], seconds: float = 20.0) -> bool:
    """Let loop and threads run until something is so, or the time is over; return whether it is."""
    end = time.monotonic() + seconds
    # never asked again once it is so: asking may do something
    while not (so := holds()) and time.monotonic() < end:  # noqa: ASYNC110 - it becomes so in other threads
        await asyncio.sleep(_LOOK_S)
    return bool(so)


async def comes_true(holds: Callable[[], object], what: object, seconds: float = 10.0) -> None:
    """Let loop and threads run until something is so. Raises AssertionError at that time."""
    assert await became(holds, seconds), f"never came true: {what}"


async def eventually(
    holds: Callable[[], Awaitable[object]], what: object = "what was asked", seconds: float = 10.0
) -> None:
    """Ask until the answer is yes. Raises AssertionError at that time."""
    end = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < end, f"never came true: {what}"
        await asyncio.sleep(_LOOK_S)
