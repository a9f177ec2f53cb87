"""What the authority was asked while one thing was done, and what came: for the account of an activation."""

from collections.abc import Awaitable
from typing import Final, TypeVar

from cardd.base.clock import Clock
from cardd.base.errors import CarddError
from cardd.wire.incident import Asked

T = TypeVar("T")

_OWN: Final = "register"
_NOTHING: Final = "nothing"
_ANSWER: Final = "answer"


class Questions:
    """Notes questions. Event loop's thread only; what it has noted may be taken while a question is under way."""

    def __init__(self) -> None:
        self._times: dict[str, int] = {}
        self._came: dict[str, str] = {}
        self._ms: dict[str, int] = {}

    async def put(self, what: str, question: Awaitable[T], clock: Clock) -> T:
        """Wait for an answer, and note what came. Raises what the question raises."""
        self._times[what] = self._times.get(what, 0) + 1
        self._came[what], began = _NOTHING, clock.monotonic()
        try:
            answer = await question
        except CarddError as error:
            self._came[what] = str(error.facts.get("unheard", _OWN))
            raise
        else:
            self._came[what] = _ANSWER
        finally:
            self._ms[what] = max(round((clock.monotonic() - began) * 1000), 0)
        return answer

    def so_far(self) -> tuple[Asked, ...]:
        """Return each question by its name, with what came the last time."""
        return tuple(
            Asked(what=what, came=self._came[what], times=times, ms=self._ms.get(what, 0))
            for what, times in self._times.items()
        )
