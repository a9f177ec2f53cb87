"""Finding events by person, card, activation, insertion and time, through marks that hold no person."""

import fnmatch
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

from cardd.base.structs import Struct
from cardd.journal import marks
from cardd.journal.encoding import stored_event
from cardd.journal.events import StoredEvent

SCANNED: Final = 2000
"""So many events are looked at for one page, so that nobody who records waits long for it."""

_FOUND: Final = """
    SELECT sequence, public, sealed FROM events WHERE sequence > ? AND time >= ? AND time < ? {among}
    ORDER BY sequence LIMIT ?
"""
_AMONG: Final = "AND sequence IN (SELECT sequence FROM marks WHERE mark IN ({places}))"

_FIRST: Final = ""
_LAST: Final = "~"
"""Behind every time."""


class Query(Struct, frozen=True):
    """What is looked for: events with any of the marks (None: all), of a time, of some types (globs)."""

    marks: frozenset[str] | None = None
    since: str | None = None
    until: str | None = None
    types: Sequence[str] = ()


class Found(Struct, frozen=True):
    """Some events, the sequence up to which was looked, and whether more may follow."""

    events: Sequence[StoredEvent]
    looked: int
    more: bool


def of_person(connection: sqlite3.Connection, token: str) -> frozenset[str]:
    """Return the marks of everything about a person: their cards', and those of what happened with them."""
    person = {marks.holder(token)}
    cards = _beside(connection, person, "card *")
    return of_subjects(connection, person | cards)


def of_card(connection: sqlite3.Connection, token: str) -> frozenset[str]:
    """Return the marks of everything that happened with a card, whether it was read or handed in."""
    return of_subjects(connection, {marks.card(token), marks.old_card(token)})


def of_subjects(connection: sqlite3.Connection, subjects: Iterable[str]) -> frozenset[str]:
    """Add the insertions and activations in which any of these appears."""
    known = set(subjects)
    return frozenset(known | _beside(connection, known, "insertion *") | _beside(connection, known, "activation *"))


def find(connection: sqlite3.Connection, query: Query, after: int, limit: int) -> Found:
    """Return what is found after a sequence, at most so many."""
    rows = connection.execute(*_statement(query, after))
    events: list[StoredEvent] = []
    looked, scanned = after, 0
    for sequence, public, sealed in rows:
        looked, scanned = sequence, scanned + 1
        event = stored_event(public, sealed)
        if not query.types or any(fnmatch.fnmatchcase(event.type, glob) for glob in query.types):
            events.append(event)
            if len(events) == limit:
                return Found(events, looked, more=True)
    return Found(events, looked, more=scanned == SCANNED)


def _statement(query: Query, after: int) -> tuple[str, tuple[str | int, ...]]:
    span: tuple[str | int, ...] = (after, query.since or _FIRST, query.until or _LAST)
    wanted = () if query.marks is None else tuple(sorted(query.marks))
    among = "" if query.marks is None else _AMONG.format(places=_places(wanted))
    return _FOUND.format(among=among), (*span, *wanted, SCANNED)


def _beside(connection: sqlite3.Connection, known: set[str], kind: str) -> set[str]:
    wanted = tuple(sorted(known))
    statement = f"""
        SELECT DISTINCT other.mark FROM marks JOIN marks AS other USING (sequence)
        WHERE marks.mark IN ({_places(wanted)}) AND other.mark GLOB ?
    """  # noqa: S608 - marks are bound
    return {mark for (mark,) in connection.execute(statement, (*wanted, kind))}


def _places(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))
