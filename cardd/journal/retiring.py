"""What retention takes away: the oldest events, never one from the middle, and what is left says which they were."""

import sqlite3
from typing import Final

from cardd.base.structs import Struct
from cardd.journal.heads import Place
from cardd.journal.lapse import is_step

MOST_AT_ONCE: Final = 2000
"""So many events are taken away in one transaction, so that nobody waits long for it."""

_OLDEST: Final = "SELECT sequence, time, digest FROM events ORDER BY sequence LIMIT 1"
# in the order of sequence, which ends at the first that stays: clocks jump, so that the times may not be in order
_KEPT: Final = "SELECT sequence, time FROM events WHERE +time >= ? ORDER BY sequence LIMIT 1"
_LAST: Final = "SELECT sequence, time, digest FROM events WHERE sequence <= ? ORDER BY sequence DESC LIMIT 1"


class Span(Struct, frozen=True):
    """Events from the oldest on, with the times of the first and the last, and the place after them."""

    first: int
    last: int
    began: str
    ended: str
    head: Place


def oldest(connection: sqlite3.Connection, before: str, upto: int) -> Span | None:
    """Return the oldest events up to a sequence, as many as are all older than a time, at most MOST_AT_ONCE.

    Those before a leap of the clock are as old as the event after it is for sure: the clock may have been slow until
    then, as one without a battery is.
    """
    first = connection.execute(_OLDEST).fetchone()
    if first is None or first[1] >= before or first[0] > upto:
        return None
    kept = connection.execute(_KEPT, (before,)).fetchone()
    if kept is not None and not is_step(connection.execute(_LAST, (kept[0] - 1,)).fetchone()[1], kept[1]):
        return None
    most = min(first[0] + MOST_AT_ONCE - 1, upto)
    last = connection.execute(_LAST, (most if kept is None else min(kept[0] - 1, most),)).fetchone()
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
