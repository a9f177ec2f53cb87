"""Cursors: a place in one stream, opaque to those who keep it."""

import re
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason

_FORM: Final = re.compile(r"(?P<stream>[0-9a-f]+)\.(?P<sequence>0|[1-9][0-9]{0,18})")


def encode(stream: str, sequence: int) -> str:
    """Return the cursor that stands after an event; sequence 0 stands before the first."""
    return f"{stream}.{sequence}"


def decode(cursor: str, stream: str, evicted: int = 0) -> int:
    """Return the sequence of a cursor, at least that of the last event that was evicted.

    Raises CarddError CURSOR_GONE, with the earliest cursor left, for any other stream's and for an earlier place.
    """
    match = _FORM.fullmatch(cursor)
    if match is None:
        raise gone("this is no cursor of this daemon", stream, evicted)
    if match["stream"] != stream:
        raise gone("this cursor belongs to another stream", stream, evicted)
    sequence = int(match["sequence"])
    if sequence < evicted:
        raise gone("events after this cursor were evicted", stream, evicted)
    return sequence


def gone(detail: str, stream: str, evicted: int = 0) -> CarddError:
    """Return the refusal of a cursor, which names the earliest one that is left."""
    return CarddError(Reason.CURSOR_GONE, detail, earliest=encode(stream, evicted))
