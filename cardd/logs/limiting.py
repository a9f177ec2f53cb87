"""The same message at most so many times a minute; then it is counted, and the count is told."""

import threading
from collections.abc import Callable, MutableMapping, Sequence
from typing import Any, Final

import structlog

_MINUTE_S: Final = 60.0
_UNLIMITED: Final = "debug"
"""Whoever asks for every detail wants every command to a card."""

HELD_BACK: Final = "lines like this one were held back"

Line = MutableMapping[str, Any]


class _Minute:
    """How often a message came since a moment."""

    def __init__(self, ends: float) -> None:
        self.ends = ends
        self.count = 0


class Limiter:
    """A processor that drops what comes too often. Its methods may be called from any thread.

    `rest` are the processors that come after it, the last of which makes text, and `write` is where that goes: a count
    is a line of its own, and belongs to no activation.
    """

    def __init__(
        self,
        rest: Sequence[structlog.typing.Processor],
        write: Callable[[str], None],
        *,
        same_a_minute: int,
        monotonic: Callable[[], float],
    ) -> None:
        self._rest = rest
        self._write = write
        self._most = same_a_minute
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._minutes: dict[tuple[str, str], _Minute] = {}

    def __call__(self, _logger: object, _method: str, event: Line) -> Line:
        """Let a line pass, or raise structlog.DropEvent."""
        level = event["level"]
        if level == _UNLIMITED:
            return event
        self.tell()
        with self._lock:
            minute = self._minutes.setdefault((level, event["event"]), _Minute(self._monotonic() + _MINUTE_S))
            minute.count += 1
            if minute.count > self._most:
                raise structlog.DropEvent
        return event

    def tell(self) -> None:
        """Write the counts of minutes that are over."""
        self._tell(self._monotonic())

    def tell_all(self) -> None:
        """Write all counts."""
        self._tell(float("inf"))

    def _tell(self, now: float) -> None:
        with self._lock:
            over = {key: minute for key, minute in self._minutes.items() if minute.ends <= now}
            for key in over:
                del self._minutes[key]
        for (level, message), minute in over.items():
            if minute.count > self._most:
                line: Any = {"event": HELD_BACK, "level": level, "message": message, "lines": minute.count - self._most}
                for processor in self._rest:
                    line = processor(None, level, line)
                self._write(line)
