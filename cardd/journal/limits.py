"""Where an export begins and ends, as an auditor names it: after an event, at a cursor, or at a time."""

import re
import sqlite3
from datetime import datetime
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Struct
from cardd.journal import cursor as cursors
from cardd.journal.encoding import rfc3339
from cardd.journal.heads import Place
from cardd.journal.pages import origin, place

_SEQUENCE: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_CURSOR: Final = re.compile(r"[0-9a-f]+\.[0-9]+")
# in the order of sequence: a clock may have been set back in between
_FIRST: Final = "SELECT sequence FROM events WHERE time >= ? ORDER BY sequence LIMIT 1"


class Cursor(Struct, frozen=True):
    """A place in a stream, as the socket gives it."""

    text: str


Limit = int | Cursor | datetime
"""A sequence stands after that event, a time before the first event of that time or later."""


def parse(text: str) -> Limit:
    """Read a limit. Raises CarddError INVALID."""
    if _SEQUENCE.fullmatch(text):
        return int(text)
    if _CURSOR.fullmatch(text):
        return Cursor(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise CarddError(
            Reason.INVALID, f"{text}: give a sequence (1532), a cursor, or a time as 2026-05-07T08:00:00+08:00"
        )
    return moment


def in_order(after: int, until: int) -> None:
    """Raise CarddError INVALID for what ends before it begins."""
    if after > until:
        raise CarddError(
            Reason.INVALID, f"this would end (at event {until}) before it begins (after event {after})", path="$.until"
        )


def find(connection: sqlite3.Connection, limit: Limit) -> Place:
    """Return the place of a limit. Raises CarddError CURSOR_GONE for one that is not in what there is."""
    first = origin(connection)
    sequence = _sequence(connection, limit, first)
    if sequence < first.sequence:
        raise cursors.gone("events after this place were evicted", first.stream, first.sequence)
    found = place(connection, sequence)
    if found is None:
        raise cursors.gone("this stream has not come that far", first.stream, first.sequence)
    return found


def last(connection: sqlite3.Connection) -> int:
    """Return the newest event's sequence."""
    (sequence,) = connection.execute("SELECT max(sequence) FROM events").fetchone()
    return origin(connection).sequence if sequence is None else int(sequence)


def _sequence(connection: sqlite3.Connection, limit: Limit, first: Place) -> int:
    match limit:
        case Cursor(text):
            return cursors.decode(text, first.stream, first.sequence)
        case datetime():
            row = connection.execute(_FIRST, (rfc3339(limit),)).fetchone()
            return last(connection) if row is None else int(row[0]) - 1
        case sequence:
            return sequence
