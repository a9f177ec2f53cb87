"""What may stand in a line: plain values. Everything else shows as the name of its type."""

import sys
import traceback
from collections.abc import Mapping, MutableMapping
from typing import Any


def plain(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Make a line of plain values only (a processor of structlog).

    Bytes are card data more often than not, and a record may hold a person: neither is written, nor is the message of
    an exception, which may quote what it choked on. An exception shows as its type and the places it came through.
    """
    fault = event.pop("exc_info", None)
    for key, value in event.items():
        event[key] = _plain(value)
    if fault is not None and fault is not False:
        event.update(told(fault))
    return event


def told(fault: object) -> dict[str, object]:
    """Tell of an exception: `fault`, its type, and `places`. `fault` as structlog takes it in `exc_info`."""
    error = _error(fault)
    if error is None:
        return {}
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return {"fault": type(error).__name__, "places": places}


def _error(fault: object) -> BaseException | None:
    match fault:
        case BaseException():
            return fault
        case (_, BaseException() as error, _):
            return error
        case _:
            return sys.exception()


def _plain(value: object) -> object:
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            # a line is a line, whatever a client calls itself; and half a character cannot be written
            return str(value) if value.isprintable() else repr(value)[1:-1]
        case bytes() | bytearray():
            return f"<{len(value)} bytes>"
        case Mapping():
            return {str(_plain(key)): _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case _:
            return f"<{type(value).__name__}>"
