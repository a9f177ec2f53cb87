"""Cursors: a place in one stream, opaque to those who keep it."""

import re
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason

_FORM: Final = re.compile(r"(?P<stream>[0-9a-f]+)\.(?P<sequence>0|[1-9][0-9]{0,18})")


def encode(stream: str, sequence: int) -> str:
    """Return the cursor that stands after an event; sequence 0 stands before the first."""
    return f"{stream}.{sequence}"


def decode(cursor: str, stream: str) -> int:
    """Return the sequence. Raises CarddError CURSOR_GONE, with the earliest cursor left, for any other stream's."""
    match = _FORM.fullmatch(cursor)
    if match is None:
        raise gone("this is no cursor of this daemon", stream)
    if match["stream"] != stream:
        raise gone("this cursor belongs to another stream", stream)
    return int(match["sequence"])


def gone(detail: str, stream: str) -> CarddError:
    """Return the refusal of a cursor, which names the earliest one that is left."""
    return CarddError(Reason.CURSOR_GONE, detail, earliest=encode(stream, 0))
