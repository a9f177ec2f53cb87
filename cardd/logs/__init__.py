"""Logs: one line an event of the program, readable or JSON, without a secret at any level.

Card data, PINs and persons cannot come here by type (`Secret`, `Personal`); the tracer of the card channel logs headers
and lengths only. A line bears the activation and the insertion that it belongs to, wherever it is written, since both
are bound to the context of the work. The same message is written so many times a minute, and then counted.
"""

import logging
import sys
import time
from collections.abc import MutableMapping
from typing import Any, TextIO

import msgspec
import structlog

from cardd.logs.limiting import Limiter
from cardd.logs.plain import plain

SAME_A_MINUTE = 60


class Logs:
    """The log of this process, as it was set up."""

    def __init__(self, threshold: "_Threshold", limiter: Limiter) -> None:
        self._threshold = threshold
        self._limiter = limiter

    def set_level(self, level: str) -> None:
        """Write from this level on, as it is called in the configuration. Any thread; also loggers in use follow."""
        self._threshold.lowest = _number(level)

    def writes(self, level: str) -> bool:
        """Tell whether lines of a level are written."""
        return _number(level) >= self._threshold.lowest

    def tell_held_back(self) -> None:
        """Write how many lines were held back in minutes that are over. Any thread."""
        self._limiter.tell()

    def close(self) -> None:
        """Write how many lines were held back, also in the minute that is not over."""
        self._limiter.tell_all()


def configure(level: str, form: str, same_a_minute: int = SAME_A_MINUTE) -> Logs:
    """Set up structlog for this process: `level` as in the configuration, `form` json or text; lines go to stderr.

    `same_a_minute`: so many lines with the same message are written, those of level debug not counted.
    """
    threshold = _Threshold(_number(level))
    rest = (structlog.processors.TimeStamper(fmt="iso", utc=True), plain, _renderer(form))
    sink = _Sink(sys.stderr)
    limiter = Limiter(rest, sink.write, same_a_minute=same_a_minute, monotonic=time.monotonic)
    structlog.configure(
        processors=[
            threshold,
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            limiter,
            *rest,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=lambda *_: sink,
        cache_logger_on_first_use=True,
    )
    return Logs(threshold, limiter)


class _Threshold:
    """Drops what is below a level that may change."""

    def __init__(self, lowest: int) -> None:
        self.lowest = lowest

    def __call__(self, _logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if _number(method) < self.lowest:
            raise structlog.DropEvent
        return event


class _Sink:
    """Where lines go. That nobody reads them any more must not end the work that wrote them."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, line: str) -> None:
        """Write a line, whole, so that those of several threads do not mix."""
        try:
            self._file.write(line + "\n")
            self._file.flush()
        except (OSError, ValueError):
            return

    debug = info = warning = error = critical = write


def _renderer(form: str) -> structlog.typing.Processor:
    if form == "json":
        return structlog.processors.JSONRenderer(serializer=_json)
    return structlog.dev.ConsoleRenderer(colors=False)


def _json(event: object, **_: object) -> str:
    return msgspec.json.encode(event).decode()


_NUMBERS = logging.getLevelNamesMapping()


def _number(level: str) -> int:
    """Return the number of a level, or of the logger's method that writes at it."""
    return _NUMBERS.get(level.upper(), logging.ERROR)
