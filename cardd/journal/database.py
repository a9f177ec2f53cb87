"""The journal's SQL: one connection, used by one thread at a time."""

import contextlib
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from itertools import chain as chain_of
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from cardd.base.sealing import Sealer, Tokens
from cardd.journal import chain
from cardd.journal import cursor as cursors
from cardd.journal.connection import FILE_NAME, failure, opened, transaction
from cardd.journal.encoding import Also, PreparedActivation, PreparedCall, PreparedDeed, PreparedEvent, stored_event
from cardd.journal.events import StoredEvent
from cardd.journal.heads import EVERY_EVENTS, Head, Notary
from cardd.journal.marking import mark_the_old
from cardd.journal.pages import origin

T = TypeVar("T")

_ROWS: Final = 10
"""So many rows go in by one statement where there are as many: each statement costs what one more row would."""

_INSERT: Final = "INSERT INTO events (sequence, public, sealed, sealed_digest, digest, time) VALUES (?, ?, ?, ?, ?, ?)"
_INSERT_ROWS: Final = _INSERT + ", (?, ?, ?, ?, ?, ?)" * (_ROWS - 1)
_MARK: Final = "INSERT OR IGNORE INTO marks (mark, sequence) VALUES (?, ?)"
_MARK_ROWS: Final = _MARK + ", (?, ?)" * (_ROWS - 1)
_HEAD: Final = "INSERT OR REPLACE INTO heads (sequence, head) VALUES (?, ?)"
_READ: Final = "SELECT public, sealed FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?"
_UPSERT: Final = """
    INSERT INTO activations (id, station, route, state, open, data, sealed, client, request, sequence)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET station = excluded.station, route = excluded.route, state = excluded.state,
        open = excluded.open, data = excluded.data, sealed = excluded.sealed, client = excluded.client,
        request = excluded.request, sequence = excluded.sequence
"""
_COLUMNS: Final = "SELECT id, station, route, state, open, data, sealed, client, request FROM activations "
_ONE: Final = _COLUMNS + "WHERE id = ?"
_OPEN: Final = _COLUMNS + "WHERE open = 1 ORDER BY number DESC LIMIT ?"
_ALL: Final = _COLUMNS + "ORDER BY open DESC, number DESC LIMIT ?"
# an older cardd forgot requests, so that some may have begun several
_BEGUN: Final = "SELECT id FROM activations WHERE client = ? AND request = ? ORDER BY number DESC LIMIT 1"
_DEED: Final = """
    INSERT INTO deeds (client, request, method, open, data, sealed, untold, sequence) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (client, request) DO UPDATE SET method = excluded.method, open = excluded.open, data = excluded.data,
        sealed = excluded.sealed, untold = excluded.untold, sequence = excluded.sequence
"""
_DEED_COLUMNS: Final = "SELECT client, request, method, open, data, sealed, untold FROM deeds "
_ONE_DEED: Final = _DEED_COLUMNS + "WHERE client = ? AND request = ?"
_OPEN_DEEDS: Final = _DEED_COLUMNS + "WHERE open = 1 ORDER BY number DESC LIMIT ?"
_UNTOLD_DEEDS: Final = _DEED_COLUMNS + "WHERE untold = 1 ORDER BY number DESC"
_TOLD: Final = "UPDATE deeds SET untold = 0 WHERE client = ? AND request = ?"

_Row = tuple[int, bytes, bytes | None, bytes, bytes, str]


class _Batch(msgspec.Struct):
    """What one transaction writes, and where sequence and chain stand after it."""

    sequence: int
    digest: bytes
    stored: list[tuple[StoredEvent, ...]] = msgspec.field(default_factory=list)
    rows: list[_Row] = msgspec.field(default_factory=list)
    marks: list[tuple[str, int]] = msgspec.field(default_factory=list)
    activations: list[tuple[PreparedActivation, int]] = msgspec.field(default_factory=list)
    deeds: list[tuple[PreparedDeed, int]] = msgspec.field(default_factory=list)
    also: list[Also] = msgspec.field(default_factory=list)

    def take(self, call: PreparedCall) -> None:
        """Give the events of a call their numbers."""
        self.stored.append(tuple([self._link(event) for event in call.events]))
        if call.activation is not None:
            self.activations.append((call.activation, self.sequence))
        if call.deed is not None:
            self.deeds.append((call.deed, self.sequence))
        if call.also is not None:
            self.also.append(call.also)

    def _link(self, event: PreparedEvent) -> StoredEvent:
        self.sequence = sequence = self.sequence + 1
        public, sealed_digest, stored = event.public(sequence), event.sealed_digest, event.stored
        self.digest = digest = chain.link(self.digest, public, sealed_digest)
        self.rows.append((sequence, public, stored.sealed, sealed_digest, digest, stored.time))
        for mark in event.marks:
            self.marks.append((mark, sequence))
        return event.numbered(sequence)

    def write(self, connection: sqlite3.Connection) -> None:
        """Write it within a transaction. Raises sqlite3.Error."""
        _insert(connection, _INSERT_ROWS, _INSERT, self.rows)
        _insert(connection, _MARK_ROWS, _MARK, self.marks)
        for row, at in self.activations:
            connection.execute(_UPSERT, (*_activation_row(row), at))
        for deed, at in self.deeds:
            connection.execute(_DEED, (*_deed_row(deed), at))
        for also in self.also:
            also(connection)


class Database:
    """The open file: what is in it, and where its sequence and its chain stand."""

    def __init__(self, directory: Path, notary: Notary | None = None) -> None:
        """Open or create the file, bring its schema up, and count this opening durably.

        With a notary, a head is signed every so many events, with every commit of an activation, and on demand.

        Raises CarddError: INVALID for a newer schema or a foreign or broken file, JOURNAL_FULL, JOURNAL_UNAVAILABLE.
        """
        self.path = directory / FILE_NAME
        self._notary = notary
        with opened(directory) as self._connection:
            self.stream, self.boot = self._count_opening()
            self.last, self.digest = self._end_of_chain()
            self.evicted = origin(self._connection).sequence
            self.signed = self._last_signed()
            self.open_ids = self._open_ids()

    def _count_opening(self) -> tuple[str, int]:
        with transaction(self._connection):
            self._connection.execute(
                "INSERT INTO identity (stream, boot, marked) SELECT ?, 0, 1 WHERE NOT EXISTS (SELECT * FROM identity)",
                (secrets.token_hex(8),),
            )
            self._connection.execute("UPDATE identity SET boot = boot + 1")
        stream, boot = self._connection.execute("SELECT stream, boot FROM identity").fetchone()
        return str(stream), int(boot)

    def _end_of_chain(self) -> tuple[int, bytes]:
        row = self._connection.execute("SELECT sequence, digest FROM events ORDER BY sequence DESC LIMIT 1").fetchone()
        if row is None:
            first = origin(self._connection)
            return first.sequence, bytes.fromhex(first.digest)
        return int(row[0]), bytes(row[1])

    def _last_signed(self) -> int:
        row = self._connection.execute("SELECT max(sequence) FROM heads").fetchone()
        return 0 if row[0] is None else int(row[0])

    def _open_ids(self) -> set[str]:
        return {row[0] for row in self._connection.execute("SELECT id FROM activations WHERE open = 1")}

    def append(self, calls: Sequence[PreparedCall]) -> list[tuple[StoredEvent, ...]]:
        """Commit all calls in one transaction and return the events of each; on any error nothing is written.

        Raises sqlite3.Error.
        """
        batch = self._number(calls)
        head = self._due(batch.sequence, batch.digest, at_once=bool(batch.activations or batch.also))
        with transaction(self._connection):
            batch.write(self._connection)
            if head is not None:
                self._connection.execute(_HEAD, (head.sequence, msgspec.json.encode(head)))
        self.last, self.digest = batch.sequence, batch.digest
        if head is not None:
            self.signed = head.sequence
        for row, _ in batch.activations:
            change = self.open_ids.add if row.open else self.open_ids.discard
            change(row.id)
        if batch.also:
            self.evicted = origin(self._connection).sequence
        return batch.stored

    def _number(self, calls: Sequence[PreparedCall]) -> "_Batch":
        """Give every event its sequence and its link of the chain."""
        batch = _Batch(self.last, self.digest)
        for call in calls:
            batch.take(call)
        return batch

    def mark_the_old(self, sealer: Sealer, tokens: Tokens | None) -> None:
        """Give events from before there were marks theirs. Raises CarddError JOURNAL_*, the file closed."""
        try:
            mark_the_old(self._connection, sealer, tokens)
        except sqlite3.Error as error:
            self._connection.close()
            raise failure(error) from None

    def _due(self, sequence: int, digest: bytes, *, at_once: bool) -> Head | None:
        """Return the head to store with a commit: what is done outside this machine is vouched for at once."""
        if self._notary is None or sequence == self.signed:
            return None
        if not at_once and sequence - self.signed < EVERY_EVENTS:
            return None
        return self._notary.sign(self.stream, sequence, digest)

    def sign(self) -> None:
        """Sign the newest event's head and store it, if nobody has. Raises sqlite3.Error."""
        head = self._due(self.last, self.digest, at_once=True)
        if head is not None:
            with transaction(self._connection):
                self._connection.execute(_HEAD, (head.sequence, msgspec.json.encode(head)))
            self.signed = head.sequence

    def read(self, after: int, limit: int) -> list[StoredEvent]:
        """Return the events that follow a sequence, at most so many. Raises CarddError CURSOR_GONE."""
        if after < self.evicted:
            raise cursors.gone("events after this cursor were evicted", self.stream, self.evicted)
        return [stored_event(public, sealed) for public, sealed in self._connection.execute(_READ, (after, limit))]

    def activation(self, identity: str) -> PreparedActivation | None:
        """Return one activation, or None."""
        return next(self._activations(_ONE, identity), None)

    def activation_begun(self, client: str, request: str) -> str | None:
        """Return the id of the activation that a client's request began, or None."""
        row = self._connection.execute(_BEGUN, (client, request)).fetchone()
        return None if row is None else str(row[0])

    def activations(self, limit: int) -> list[PreparedActivation]:
        """Return activations: the open ones first, then the ended ones, newest first."""
        return list(self._activations(_ALL, limit))

    def open_activations(self, limit: int) -> list[PreparedActivation]:
        """Return the activations that have not ended, newest first."""
        return list(self._activations(_OPEN, limit))

    def deed(self, client: str, request: str) -> PreparedDeed | None:
        """Return one deed, or None."""
        return next(self._deeds(_ONE_DEED, client, request), None)

    def open_deeds(self, limit: int) -> list[PreparedDeed]:
        """Return the deeds of which nobody knows yet what became of them, newest first."""
        return list(self._deeds(_OPEN_DEEDS, limit))

    def untold_deeds(self) -> list[PreparedDeed]:
        """Return the deeds of whose end somebody has still to be told, newest first."""
        return list(self._deeds(_UNTOLD_DEEDS))

    def tell(self, client: str, request: str) -> None:
        """Note that a deed's end was told; what else its row says is left alone. Raises sqlite3.Error."""
        with transaction(self._connection):
            self._connection.execute(_TOLD, (client, request))

    def _deeds(self, query: str, *arguments: str | int) -> Iterator[PreparedDeed]:
        for client, request, method, is_open, data, sealed, untold in self._connection.execute(query, arguments):
            yield PreparedDeed(client, request, method, bool(is_open), data, sealed, bool(untold))

    def _activations(self, query: str, argument: str | int) -> Iterator[PreparedActivation]:
        for identity, station, route, state, is_open, *rest in self._connection.execute(query, (argument,)):
            yield PreparedActivation(identity, station, route, state, bool(is_open), *rest)

    def query(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Return what a question finds that only reads."""
        return question(self._connection)

    def close(self) -> None:
        """Close the file, the newest head signed; what the WAL holds is moved into it first."""
        with contextlib.suppress(sqlite3.Error):
            self.sign()
        self._connection.close()


def _insert(connection: sqlite3.Connection, many: str, one: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Insert rows in their order, _ROWS at a time by one statement and the last few by the other."""
    whole = len(rows) - len(rows) % _ROWS
    for begin in range(0, whole, _ROWS):
        connection.execute(many, tuple(chain_of.from_iterable(rows[begin : begin + _ROWS])))
    if whole < len(rows):
        connection.executemany(one, rows[whole:])


def _activation_row(row: PreparedActivation) -> tuple[str | bool | bytes | None, ...]:
    return row.id, row.station, row.route, row.state, row.open, row.data, row.sealed, row.client, row.request


def _deed_row(row: PreparedDeed) -> tuple[str, str, str, bool, bytes, bytes | None, bool]:
    return row.client, row.request, row.method, row.open, row.data, row.sealed, row.untold
