"""Erasing one person's data: what is sealed goes, its digest stays, and so the chain still verifies."""

import sqlite3
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.sealing import Sealer, Tokens
from cardd.base.structs import Struct
from cardd.journal import finding, marks
from cardd.journal.encoding import PreparedActivation, PreparedDeed, stored_activation, stored_deed

ERASED: Final = "journal.erased"
"""The event that goes on record with an erasure: to whoever keeps events it says that some are not as they were."""

_ACTIVATIONS: Final = """
    SELECT id, station, route, state, open, data, sealed FROM activations WHERE length(sealed) > 0
"""
_DEEDS: Final = "SELECT client, request, method, open, data, sealed FROM deeds WHERE length(sealed) > 0"


class Erasure(Struct, frozen=True):
    """What is to be blanked: events by sequence, activations by id, deeds by client and request."""

    events: tuple[int, ...]
    activations: tuple[str, ...]
    deeds: tuple[tuple[str, str], ...]


def plan(connection: sqlite3.Connection, token: str, sealer: Sealer, tokens: Tokens) -> Erasure:
    """Return what is sealed about a person.

    Raises CarddError: NOT_FOUND where nothing is, BUSY while an activation or a payment of that person is under way.
    """
    about = finding.of_person(connection, token)
    subjects = frozenset(mark for mark in about if mark.startswith(("holder ", "card ")))
    activations: list[str] = []
    for identity, station, route, state, is_open, data, sealed in connection.execute(_ACTIVATIONS):
        row = PreparedActivation(identity, station, route, state, bool(is_open), data, sealed)
        activation = stored_activation(row, sealer)
        named = subjects.intersection(marks.of_personal(activation.personal, tokens))
        if named or marks.activation(activation.id) in about:
            _refuse_open(activation.open, "an activation")
            activations.append(activation.id)
    deeds: list[tuple[str, str]] = []
    for client, request, method, is_open, data, sealed in connection.execute(_DEEDS):
        deed = stored_deed(PreparedDeed(client, request, method, bool(is_open), data, sealed), sealer)
        if subjects.intersection(marks.of_personal(deed.personal, tokens)):
            _refuse_open(deed.open, "a payment")
            deeds.append((deed.client, deed.request))
    events = _sealed_events(connection, about)
    if not (events or activations or deeds):
        raise CarddError(Reason.NOT_FOUND, "nothing is stored about that person")
    return Erasure(events, tuple(activations), tuple(deeds))


def erase(connection: sqlite3.Connection, erasure: Erasure) -> None:
    """Blank it. The digests stay as they are."""
    connection.executemany("UPDATE events SET sealed = x'' WHERE sequence = ?", ((one,) for one in erasure.events))
    connection.executemany("UPDATE activations SET sealed = x'' WHERE id = ?", ((one,) for one in erasure.activations))
    connection.executemany("UPDATE deeds SET sealed = x'' WHERE client = ? AND request = ?", erasure.deeds)


def sweep(connection: sqlite3.Connection) -> None:
    """Move the log into the file and cut it off: it still holds pages as they were before."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _sealed_events(connection: sqlite3.Connection, about: frozenset[str]) -> tuple[int, ...]:
    wanted = tuple(sorted(about))
    places = ", ".join("?" * len(wanted))
    statement = f"""
        SELECT sequence FROM events WHERE length(sealed) > 0
        AND sequence IN (SELECT sequence FROM marks WHERE mark IN ({places})) ORDER BY sequence
    """  # noqa: S608 - marks are bound
    return tuple(sequence for (sequence,) in connection.execute(statement, wanted))


def _refuse_open(is_open: bool, what: str) -> None:  # noqa: FBT001 - a column
    if is_open:
        raise CarddError(Reason.BUSY, f"{what} of that person is under way: erase when it has ended")
