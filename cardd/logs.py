"""Logs: one line an event of the program, readable or JSON, without a secret at any level.

Card data, PINs and persons cannot come here by type (`Secret`, `Personal`); the tracer of the card channel logs headers
and lengths only. A value of those types that is passed by mistake shows as its type's name.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import msgspec
import structlog

from cardd.base.secret import Personal, Secret


def configure(level: str, form: str) -> None:
    """Set up structlog for this process: `level` as in the configuration, `form` json or text; lines go to stderr."""
    number = logging.getLevelNamesMapping()[level.upper()]
    last: structlog.typing.Processor
    if form == "json":
        last = structlog.processors.JSONRenderer(serializer=_json)
    else:
        last = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _hide,
            structlog.processors.format_exc_info,
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def _json(event: object, **_: object) -> str:
    return msgspec.json.encode(event, enc_hook=lambda value: f"<{type(value).__name__}>").decode()


def _hide(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, Secret | Personal):
            event[key] = repr(value)
        elif isinstance(value, bytes | bytearray):
            # bytes are card data more often than not
            event[key] = f"<{len(value)} bytes>"
    return event
