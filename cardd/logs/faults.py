"""What nobody caught, and what libraries log: by type and place, never with a message, which may quote a person."""

import asyncio
import logging
import sys
import threading
from typing import Any

import structlog

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


def take_over() -> None:
    """Have all that Python and libraries would print themselves go through the log, for the rest of the process."""
    sys.excepthook = lambda _kind, error, _places: _log.critical("the daemon broke", exc_info=error)
    threading.excepthook = _thread_broke
    sys.unraisablehook = _unraisable
    logging.captureWarnings(capture=True)
    logging.basicConfig(handlers=[_Libraries(logging.WARNING)], level=logging.WARNING, force=True)


def loop_failed(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what an event loop has to tell (its exception handler), without the callback and the values that it names."""
    told = str(context.get("message")).partition(" in callback ")[0]
    _log.error("work on the loop failed", told=told, exc_info=_error(context.get("exception")))


def _error(value: object) -> BaseException | None:
    return value if isinstance(value, BaseException) else None


def _thread_broke(broke: threading.ExceptHookArgs) -> None:
    thread = "" if broke.thread is None else broke.thread.name
    _log.critical("a thread broke", thread=thread, exc_info=broke.exc_value)


def _unraisable(broke: "sys.UnraisableHookArgs") -> None:
    _log.error("something that was given up failed", exc_info=broke.exc_value)


class _Libraries(logging.Handler):
    """Tells where a library logged: what it says was written by somebody who knows nothing of secrets."""

    def emit(self, record: logging.LogRecord) -> None:
        place = f"{record.pathname}:{record.lineno} {record.funcName}"
        level = _log.error if record.levelno >= logging.ERROR else _log.warning
        error = record.exc_info[1] if record.exc_info else None
        level("a library logged", library=record.name, place=place, exc_info=error)
