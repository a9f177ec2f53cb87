"""Turns: many lines of one client are taken a lot at a time, so that cards and other clients go between."""

import asyncio
import time
from collections import deque
from typing import Final

_LOTS: Final = 16
"""So many lots are given out in one turn of the loop."""
_REST: Final = 2.0
"""For so many times what lots took, nobody gets another one."""
_LEAST_REST_S: Final = 0.001
"""Timers of the loop are no finer. A shorter rest is put off, and added to the next one."""
_WINDOW_S: Final = 0.001
_AT_ONCE: Final = 16
"""So many lines of several clients are taken in each such time without a lot."""


class Turns:
    """Gives lots to those who wait for one, first come, first served. Loop thread only.

    What the lots of a turn took is measured, and twice that time is left to all other work: those who flood the socket
    get a third of the loop between them, on however many connections.
    """

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._going = False
        self._owed_s = 0.0
        self._since = 0.0
        self._taken = 0
        self._first: object = None

    def at_once(self, client: object, lines: int) -> bool:
        """Tell whether a client's lines may be taken without a lot.

        Whoever is alone may always: it waits for its answers itself. Of several only so many lines a millisecond.
        """
        now = time.monotonic()
        if now - self._since >= _WINDOW_S:
            self._since, self._taken, self._first = now, 0, client
        elif client is not self._first:
            # not alone any more
            self._first = None
        self._taken += lines
        return self._taken <= _AT_ONCE or self._first is client

    async def lot(self) -> None:
        """Wait for a lot."""
        loop = asyncio.get_running_loop()
        mine: asyncio.Future[None] = loop.create_future()
        self._waiting.append(mine)
        if not self._going:
            self._going = True
            loop.call_soon(self._give, loop)
        await mine

    def _give(self, loop: asyncio.AbstractEventLoop) -> None:
        for _ in range(min(_LOTS, len(self._waiting))):
            # one whose connection has ended meanwhile is cancelled
            if not (one := self._waiting.popleft()).done():
                one.set_result(None)
        # those who were given a lot use it up in the loop's next round, before this is called in the same
        loop.call_soon(self._rest, loop, loop.time())

    def _rest(self, loop: asyncio.AbstractEventLoop, since: float) -> None:
        self._owed_s += _REST * (loop.time() - since)
        self._going = bool(self._waiting)
        if not self._going:
            return
        if self._owed_s < _LEAST_REST_S:
            loop.call_soon(self._give, loop)
        else:
            loop.call_later(self._owed_s, self._give, loop)
            self._owed_s = 0.0
