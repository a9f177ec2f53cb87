"""The journal's SQL: one connection, used by one thread at a time."""

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.journal import chain
from cardd.journal.encoding import PreparedActivation, PreparedCall, PreparedDeed, stored_event
from cardd.journal.events import StoredEvent
from cardd.journal.schema import migrate

FILE_NAME: Final = "journal.db"

_WAL_BYTES: Final = 4 * 1024 * 1024

_SETTINGS: Final = (
    # first of all: with the lock held from the start, the WAL's index lives in memory and no second connection exists
    ("locking_mode = EXCLUSIVE", "exclusive"),
    ("journal_mode = WAL", "wal"),
    # every commit is on the disk before it is told
    ("synchronous = FULL", None),
    (f"journal_size_limit = {_WAL_BYTES}", None),
    ("trusted_schema = OFF", None),
)

_INSERT: Final = "INSERT INTO events (sequence, public, sealed, sealed_digest, digest) VALUES (?, ?, ?, ?, ?)"
_READ: Final = "SELECT public, sealed FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?"
_UPSERT: Final = """
    INSERT INTO activations (id, station, route, state, open, data, sealed, sequence) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET station = excluded.station, route = excluded.route, state = excluded.state,
        open = excluded.open, data = excluded.data, sealed = excluded.sealed, sequence = excluded.sequence
"""
_COLUMNS: Final = "SELECT id, station, route, state, open, data, sealed FROM activations "
_ONE: Final = _COLUMNS + "WHERE id = ?"
_OPEN: Final = _COLUMNS + "WHERE open = 1 ORDER BY number DESC LIMIT ?"
_ALL: Final = _COLUMNS + "ORDER BY open DESC, number DESC LIMIT ?"
_DEED: Final = """
    INSERT INTO deeds (client, request, method, open, data, sealed, sequence) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (client, request) DO UPDATE SET method = excluded.method, open = excluded.open, data = excluded.data,
        sealed = excluded.sealed, sequence = excluded.sequence
"""
_DEED_COLUMNS: Final = "SELECT client, request, method, open, data, sealed FROM deeds "
_ONE_DEED: Final = _DEED_COLUMNS + "WHERE client = ? AND request = ?"
_OPEN_DEEDS: Final = _DEED_COLUMNS + "WHERE open = 1 ORDER BY number DESC LIMIT ?"

_Row = tuple[int, bytes, bytes | None, bytes, bytes]


def failure(error: sqlite3.Error) -> CarddError:
    """Return what a database error means to callers; its own words are left out, they may quote."""
    # errors of the module itself, not of the library, carry no code
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    if code == sqlite3.SQLITE_FULL:
        return CarddError(Reason.JOURNAL_FULL, "no space is left for the journal")
    return CarddError(Reason.JOURNAL_UNAVAILABLE, f"the journal's database failed ({name})")


class Database:
    """The open file: what is in it, and where its sequence and its chain stand."""

    def __init__(self, directory: Path) -> None:
        """Open or create the file, bring its schema up, and count this opening durably.

        Raises CarddError: INVALID for a newer schema or a foreign or broken file, JOURNAL_FULL, JOURNAL_UNAVAILABLE.
        """
        self.path = directory / FILE_NAME
        try:
            # sqlite would leave it to the umask; the WAL takes the file's own mode
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error):
            raise CarddError(Reason.JOURNAL_UNAVAILABLE, f"{self.path} cannot be opened") from None
        try:
            self._configure()
            migrate(self._connection)
            self.stream, self.boot = self._count_opening()
            self.last, self._digest = self._end_of_chain()
            self.open_ids = self._open_ids()
            _make_durable(directory)
        except sqlite3.DatabaseError as error:
            self._connection.close()
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
                detail = f"{self.path} is damaged or no journal: move it away and keep it"
                raise CarddError(Reason.INVALID, detail) from None
            raise failure(error) from None
        except OSError:
            self._connection.close()
            raise CarddError(Reason.JOURNAL_UNAVAILABLE, f"{directory} cannot be written") from None
        except BaseException:
            self._connection.close()
            raise

    def _configure(self) -> None:
        for setting, expected in _SETTINGS:
            row = self._connection.execute(f"PRAGMA {setting}").fetchone()
            if expected is not None and row != (expected,):
                raise CarddError(Reason.JOURNAL_UNAVAILABLE, f"{self.path} lies where `{setting}` is not possible")

    def _count_opening(self) -> tuple[str, int]:
        with self._transaction():
            self._connection.execute(
                "INSERT INTO identity (stream, boot) SELECT ?, 0 WHERE NOT EXISTS (SELECT * FROM identity)",
                (secrets.token_hex(8),),
            )
            self._connection.execute("UPDATE identity SET boot = boot + 1")
        stream, boot = self._connection.execute("SELECT stream, boot FROM identity").fetchone()
        return str(stream), int(boot)

    def _end_of_chain(self) -> tuple[int, bytes]:
        row = self._connection.execute("SELECT sequence, digest FROM events ORDER BY sequence DESC LIMIT 1").fetchone()
        return (0, chain.genesis(self.stream)) if row is None else (int(row[0]), bytes(row[1]))

    def _open_ids(self) -> frozenset[str]:
        return frozenset(row[0] for row in self._connection.execute("SELECT id FROM activations WHERE open = 1"))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            # a full disk may have ended the transaction already
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise

    def append(self, calls: Sequence[PreparedCall]) -> list[tuple[StoredEvent, ...]]:
        """Commit all calls in one transaction and return the events of each; on any error nothing is written.

        Raises sqlite3.Error.
        """
        sequence, digest = self.last, self._digest
        rows: list[_Row] = []
        stored: list[tuple[StoredEvent, ...]] = []
        activations: list[tuple[PreparedActivation, int]] = []
        deeds: list[tuple[PreparedDeed, int]] = []
        for call in calls:
            numbered = []
            for event in call.events:
                sequence += 1
                public = event.public(sequence)
                digest = chain.link(digest, public, event.sealed_digest)
                rows.append((sequence, public, event.stored.sealed, event.sealed_digest, digest))
                numbered.append(event.numbered(sequence))
            stored.append(tuple(numbered))
            if call.activation is not None:
                activations.append((call.activation, sequence))
            if call.deed is not None:
                deeds.append((call.deed, sequence))
        with self._transaction():
            self._connection.executemany(_INSERT, rows)
            self._connection.executemany(
                _UPSERT,
                (
                    (row.id, row.station, row.route, row.state, row.open, row.data, row.sealed, at)
                    for row, at in activations
                ),
            )
            if deeds:
                rows_of_deeds = ((*_deed_row(row), at) for row, at in deeds)
                self._connection.executemany(_DEED, rows_of_deeds)
        self.last, self._digest = sequence, digest
        return stored

    def read(self, after: int, limit: int) -> list[StoredEvent]:
        """Return the events that follow a sequence, at most so many."""
        return [stored_event(public, sealed) for public, sealed in self._connection.execute(_READ, (after, limit))]

    def activation(self, identity: str) -> PreparedActivation | None:
        """Return one activation, or None."""
        return next(self._activations(_ONE, identity), None)

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

    def _deeds(self, query: str, *arguments: str | int) -> Iterator[PreparedDeed]:
        for client, request, method, is_open, data, sealed in self._connection.execute(query, arguments):
            yield PreparedDeed(client, request, method, bool(is_open), data, sealed)

    def _activations(self, query: str, argument: str | int) -> Iterator[PreparedActivation]:
        for identity, station, route, state, is_open, data, sealed in self._connection.execute(query, (argument,)):
            yield PreparedActivation(identity, station, route, state, bool(is_open), data, sealed)

    def close(self) -> None:
        """Close the file; what the WAL holds is moved into it first."""
        self._connection.close()


def _deed_row(row: PreparedDeed) -> tuple[str, str, str, bool, bytes, bytes | None]:
    return row.client, row.request, row.method, row.open, row.data, row.sealed


def _make_durable(directory: Path) -> None:
    """Bring the names of new files onto the disk too."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
