"""A key service that was away: asked now and then whether it is back, as long as somebody waits for that."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from cardd.base.clock import Clock, TimerHandle
from cardd.keys.service import Reachable

PAUSE_S: Final = 10.0
"""How long after it was found away it is asked again."""

_ANSWER_S: Final = 2.0


class AwayKeys:
    """Tells when a key service that can be asked from afar answers again. Event loop's thread only.

    A service without a way to ask it is not asked: whatever brings it back is told by somebody else.
    """

    def __init__(self, keys: object, came: Callable[[], None], *, clock: Clock) -> None:
        self._keys = keys if isinstance(keys, Reachable) else None
        self._came = came
        self._clock = clock
        self._waiting = 0
        self._timer: TimerHandle | None = None
        self._asking = False

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """Have it asked inside, until it has answered once: `came` is called then."""
        self._waiting += 1
        self._arm()
        try:
            yield
        finally:
            self._waiting -= 1
            if not self._waiting and self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _arm(self) -> None:
        if self._keys is not None and self._waiting and self._timer is None and not self._asking:
            self._timer = self._clock.call_later(PAUSE_S, self._ask)

    def _ask(self) -> None:
        """Ask on a thread of its own, which nobody waits for at the end of all."""
        self._timer = None
        loop, keys, deadline = asyncio.get_running_loop(), self._keys, self._clock.monotonic() + _ANSWER_S
        if keys is None:
            return
        self._asking = True

        def ask() -> None:
            answers = False
            try:
                answers = keys.reachable(deadline=deadline)
            finally:
                # whatever it was that failed: it is asked again. A loop that was closed has nobody left to be told
                with suppress(RuntimeError):
                    loop.call_soon_threadsafe(self._answered, answers)

        threading.Thread(target=ask, name="key service away", daemon=True).start()

    def _answered(self, answers: bool) -> None:  # noqa: FBT001 - call_soon_threadsafe gives it so
        self._asking = False
        if answers and self._waiting:
            self._came()
        else:
            self._arm()
