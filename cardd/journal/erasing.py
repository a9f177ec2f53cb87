"""Erasing one person's data: what is sealed goes, its digest stays, and so the chain still verifies.

What is to go is found and blanked page by page: nobody who records waits long for it, and what was begun may be left
off between two pages. Whatever was blanked is on record with the page, by sequence.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.sealing import Sealer, Tokens
from cardd.base.structs import Struct
from cardd.journal import finding, marks
from cardd.journal.encoding import PreparedActivation, PreparedDeed, stored_activation, stored_deed
from cardd.journal.events import Json

ERASED: Final = "journal.erased"
"""The event that goes on record with an erasure: to whoever keeps events it says that some are not as they were."""

ROWS_AT_ONCE: Final = 200
EVENTS_AT_ONCE: Final = 2000

_ACTIVATIONS: Final = """
    SELECT number, id, station, route, state, open, data, sealed FROM activations
    WHERE number > ? AND length(sealed) > 0 ORDER BY number LIMIT ?
"""
_DEEDS: Final = """
    SELECT number, client, request, method, open, data, sealed FROM deeds
    WHERE number > ? AND length(sealed) > 0 ORDER BY number LIMIT ?
"""
# one parameter for all marks: a card of every day has more of them than a statement takes parameters
_EVENTS: Final = """
    SELECT sequence FROM events WHERE sequence > ? AND length(sealed) > 0
    AND sequence IN (SELECT sequence FROM marks WHERE mark IN (SELECT value FROM json_each(?)))
    ORDER BY sequence LIMIT ?
"""


class Erasure(Struct, frozen=True):
    """What is to be blanked: events by sequence, activations by id, deeds by client and request.

    `nameless` are deeds that have ended and hold only what stands for the values of a write, not whose card it was.
    """

    events: tuple[int, ...] = ()
    activations: tuple[str, ...] = ()
    deeds: tuple[tuple[str, str], ...] = ()
    nameless: tuple[tuple[str, str], ...] = ()

    def with_rows(self, other: "Erasure") -> "Erasure":
        """Return both together, but for the events."""
        return Erasure(
            self.events,
            self.activations + other.activations,
            self.deeds + other.deeds,
            self.nameless + other.nameless,
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing of the person is in it."""
        return not (self.events or self.activations or self.deeds)


class Rows(Struct, frozen=True):
    """A page of activations and deeds that hold something sealed, and the numbers behind it."""

    activations: Sequence[PreparedActivation]
    deeds: Sequence[PreparedDeed]
    after: tuple[int, int]

    @property
    def last(self) -> bool:
        """Whether nothing follows."""
        return not (self.activations or self.deeds)


def about(connection: sqlite3.Connection, token: str) -> frozenset[str]:
    """Return the marks of everything about a person."""
    return finding.of_person(connection, token)


def rows(connection: sqlite3.Connection, after: tuple[int, int]) -> Rows:
    """Return the next page of rows."""
    activations = connection.execute(_ACTIVATIONS, (after[0], ROWS_AT_ONCE)).fetchall()
    deeds = connection.execute(_DEEDS, (after[1], ROWS_AT_ONCE)).fetchall()
    return Rows(
        [
            PreparedActivation(identity, station, route, state, bool(is_open), data, sealed)
            for _, identity, station, route, state, is_open, data, sealed in activations
        ],
        [
            PreparedDeed(client, request, method, bool(is_open), data, sealed)
            for _, client, request, method, is_open, data, sealed in deeds
        ],
        (activations[-1][0] if activations else after[0], deeds[-1][0] if deeds else after[1]),
    )


def theirs(page: Rows, marks_of_person: frozenset[str], sealer: Sealer, tokens: Tokens) -> Erasure:
    """Open a page of rows, and return those of a person. Any thread.

    Raises CarddError BUSY while an activation or a payment of that person is under way.
    """
    subjects = frozenset(mark for mark in marks_of_person if mark.startswith(("holder ", "card ")))
    activations: list[str] = []
    for row in page.activations:
        activation = stored_activation(row, sealer)
        named = subjects.intersection(marks.of_personal(activation.personal, tokens))
        if named or marks.activation(activation.id) in marks_of_person:
            _refuse_open(activation.open, "an activation")
            activations.append(activation.id)
    deeds: list[tuple[str, str]] = []
    nameless: list[tuple[str, str]] = []
    for prepared in page.deeds:
        deed = stored_deed(prepared, sealer)
        names = marks.of_personal(deed.personal, tokens)
        if subjects.intersection(names):
            _refuse_open(deed.open, "a payment")
            deeds.append((deed.client, deed.request))
        elif not names and not deed.open and not deed.personal_lost:
            nameless.append((deed.client, deed.request))
    return Erasure((), tuple(activations), tuple(deeds), tuple(nameless))


def events(connection: sqlite3.Connection, marks_of_person: frozenset[str], after: int) -> tuple[int, ...]:
    """Return the next page of a person's sealed events, by sequence."""
    wanted = msgspec.json.encode(sorted(marks_of_person)).decode()
    return tuple(sequence for (sequence,) in connection.execute(_EVENTS, (after, wanted, EVENTS_AT_ONCE)))


def erase(connection: sqlite3.Connection, erasure: Erasure) -> None:
    """Blank it. The digests stay as they are, and so does what was begun meanwhile."""
    connection.executemany("UPDATE events SET sealed = x'' WHERE sequence = ?", ((one,) for one in erasure.events))
    connection.executemany(
        "UPDATE activations SET sealed = x'' WHERE id = ? AND open = 0", ((one,) for one in erasure.activations)
    )
    connection.executemany(
        "UPDATE deeds SET sealed = x'' WHERE client = ? AND request = ? AND open = 0", erasure.deeds + erasure.nameless
    )


def sweep(connection: sqlite3.Connection) -> None:
    """Move the log into the file and cut it off: it still holds pages as they were before."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def told(erasure: Erasure) -> dict[str, Json]:
    """Return what goes on record of a page: how much, and which events, as `[first, last]` by sequence."""
    return {
        "events": len(erasure.events),
        "sequences": [[first, last] for first, last in ranges(erasure.events)],
        "activations": len(erasure.activations),
        "payments": len(erasure.deeds),
    }


def ranges(sequences: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last of each run of numbers that follow one another."""
    first = last = None
    for sequence in sequences:
        if last is not None and sequence == last + 1:
            last = sequence
            continue
        if first is not None and last is not None:
            yield first, last
        first = last = sequence
    if first is not None and last is not None:
        yield first, last


def _refuse_open(is_open: bool, what: str) -> None:  # noqa: FBT001 - a column
    if is_open:
        raise CarddError(Reason.BUSY, f"{what} of that person is under way: erase when it has ended")
