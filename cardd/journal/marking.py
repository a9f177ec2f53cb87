"""Marks for events from before there were any."""

import sqlite3
from collections.abc import Mapping
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.sealing import Sealer, Tokens
from cardd.journal import marks
from cardd.journal.connection import transaction
from cardd.journal.encoding import decode_mapping, stored_event
from cardd.journal.events import Json, StoredEvent

_PAGE: Final = 5000


def mark_the_old(connection: sqlite3.Connection, sealer: Sealer, tokens: Tokens | None) -> None:
    """Give every event its marks, once, in transactions of some thousands. Does nothing where that was done.

    Raises sqlite3.Error; then it is begun anew at the next start.
    """
    (done,) = connection.execute("SELECT marked FROM identity").fetchone()
    after = 0
    while not done:
        rows = connection.execute(
            "SELECT sequence, public, sealed FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?", (after, _PAGE)
        ).fetchall()
        done = len(rows) < _PAGE
        found = [(mark, row[0]) for row in rows for mark in _marks(stored_event(row[1], row[2]), sealer, tokens)]
        with transaction(connection):
            connection.executemany("INSERT OR IGNORE INTO marks (mark, sequence) VALUES (?, ?)", found)
            connection.execute("UPDATE identity SET marked = ?", (done,))
        after = rows[-1][0] if rows else after


def _marks(event: StoredEvent, sealer: Sealer, tokens: Tokens | None) -> tuple[str, ...]:
    return marks.of_event(event.insertion, event.correlation, _personal(event, sealer), tokens)


def _personal(event: StoredEvent, sealer: Sealer) -> Mapping[str, Json]:
    if not event.sealed:
        return {}
    try:
        return decode_mapping(sealer.open(event.sealed, event.id.encode()))
    except CarddError:
        return {}
