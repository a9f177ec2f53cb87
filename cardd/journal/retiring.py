"""What retention takes away: the oldest events, never one from the middle, and what is left says which they were."""

import sqlite3
from typing import Final

from cardd.base.structs import Struct
from cardd.journal.heads import Place
from cardd.journal.lapse import is_step

MOST_AT_ONCE: Final = 2000
"""So many events are taken away in one transaction, so that nobody waits long for it."""

LOOKED_AT_ONCE: Final = 10_000
"""So many events are looked through by one question, for the same reason."""

_OLDEST: Final = "SELECT sequence, time, digest FROM events ORDER BY sequence LIMIT 1"
# in the order of sequence, which ends at the first that stays: clocks jump, so that the times may not be in order
_STAYS: Final = """
    SELECT sequence, time FROM events WHERE sequence > ? AND sequence <= ? AND +time >= ? ORDER BY sequence LIMIT 1
"""
_NEWEST: Final = "SELECT max(sequence) FROM events"
_LAST: Final = "SELECT sequence, time, digest FROM events WHERE sequence <= ? ORDER BY sequence DESC LIMIT 1"


class Span(Struct, frozen=True):
    """Events from the oldest on, with the times of the first and the last, and the place after them."""

    first: int
    last: int
    began: str
    ended: str
    head: Place


class Old(Struct, frozen=True):
    """How far the events are known to be older than a time, and the time of the next one where that one is not."""

    through: int
    stays: str | None = None


def look(connection: sqlite3.Connection, before: str, old: Old) -> Old:
    """Look further for the first event that stays, through at most LOOKED_AT_ONCE."""
    until = old.through + LOOKED_AT_ONCE
    found = connection.execute(_STAYS, (old.through, until, before)).fetchone()
    if found is not None:
        return Old(found[0] - 1, found[1])
    (newest,) = connection.execute(_NEWEST).fetchone()
    return Old(until if newest is None else min(until, newest))


def oldest(connection: sqlite3.Connection, before: str, upto: int, old: Old) -> Span | None:
    """Return the oldest events up to a sequence, as many as are all older than a time, at most MOST_AT_ONCE.

    Those before a leap of the clock are as old as the event after it is for sure: the clock may have been slow until
    then, as one without a battery is.
    """
    first = connection.execute(_OLDEST).fetchone()
    if first is None or first[1] >= before or first[0] > upto:
        return None
    if old.stays is not None and not is_step(connection.execute(_LAST, (old.through,)).fetchone()[1], old.stays):
        return None
    most = min(first[0] + MOST_AT_ONCE - 1, upto, old.through)
    last = connection.execute(_LAST, (most,)).fetchone()
    (stream,) = connection.execute("SELECT stream FROM identity").fetchone()
    return Span(first[0], last[0], first[1], last[1], Place(stream, last[0], last[2].hex()))


def evict(connection: sqlite3.Connection, span: Span) -> None:
    """Take events away with all that leads to them, and the activations and deeds that ended among them."""
    gone = (span.last,)
    connection.execute("DELETE FROM events WHERE sequence <= ?", gone)
    connection.execute("DELETE FROM heads WHERE sequence <= ?", gone)
    connection.execute("DELETE FROM marks WHERE sequence <= ?", gone)
    connection.execute("DELETE FROM activations WHERE open = 0 AND sequence <= ?", gone)
    connection.execute("DELETE FROM deeds WHERE open = 0 AND sequence <= ?", gone)
    connection.execute(
        "UPDATE identity SET evicted = ?, evicted_digest = ?", (span.last, bytes.fromhex(span.head.digest))
    )


def size(connection: sqlite3.Connection) -> int:
    """Return how many bytes of the file hold something."""
    pages, free, bytes_ = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * bytes_)
