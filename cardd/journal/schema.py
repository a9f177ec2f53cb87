"""The database's tables, and the way from every older form of them to the newest."""

import sqlite3
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason

_APPLICATION: Final = 0x63617264  # "card": tells our database from any other program's

_FIRST: Final = (
    # one row: which stream this is, and how often it was opened
    """
    CREATE TABLE identity (
        stream TEXT NOT NULL,
        boot INTEGER NOT NULL
    ) STRICT
    """,
    # public: JSON with the sequence inside, byte for byte what the chain covers; sealed: NULL where there was nothing
    # personal, empty where it was erased; sealed_digest stays when sealed goes
    """
    CREATE TABLE events (
        sequence INTEGER PRIMARY KEY,
        public BLOB NOT NULL,
        sealed BLOB,
        sealed_digest BLOB NOT NULL,
        digest BLOB NOT NULL
    ) STRICT
    """,
    # number: order of start; sequence: the last event that was durable together with this state
    """
    CREATE TABLE activations (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        station TEXT NOT NULL,
        route TEXT NOT NULL,
        state TEXT NOT NULL,
        open INTEGER NOT NULL,
        data BLOB NOT NULL,
        sealed BLOB,
        sequence INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE INDEX activations_by_age ON activations (open, number)",
)

_DEEDS: Final = (
    # what clients asked to be done once, by their own request ids
    """
    CREATE TABLE deeds (
        number INTEGER PRIMARY KEY,
        client TEXT NOT NULL,
        request TEXT NOT NULL,
        method TEXT NOT NULL,
        open INTEGER NOT NULL,
        data BLOB NOT NULL,
        sealed BLOB,
        sequence INTEGER NOT NULL,
        UNIQUE (client, request)
    ) STRICT
    """,
    "CREATE INDEX deeds_by_age ON deeds (open, number)",
)

_EVIDENCE: Final = (
    # what retention has taken away: up to and with this sequence, whose digest the chain now begins with; marked: 0
    # while events from before there were marks have none
    "ALTER TABLE identity ADD COLUMN evicted INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE identity ADD COLUMN evicted_digest BLOB",
    "ALTER TABLE identity ADD COLUMN marked INTEGER NOT NULL DEFAULT 0",
    # as in the public part, which stays what the chain covers
    "ALTER TABLE events ADD COLUMN time TEXT NOT NULL DEFAULT ''",
    "UPDATE events SET time = json_extract(CAST(public AS TEXT), '$.time')",
    "CREATE INDEX events_by_time ON events (time)",
    # head: JSON
    """
    CREATE TABLE heads (
        sequence INTEGER PRIMARY KEY,
        head BLOB NOT NULL
    ) STRICT
    """,
    # by what an event can be found: its insertion, its activation, keyed tokens of its holder and its cards
    """
    CREATE TABLE marks (
        mark TEXT NOT NULL,
        sequence INTEGER NOT NULL,
        PRIMARY KEY (mark, sequence)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX marks_by_sequence ON marks (sequence)",
)

_REQUESTS: Final = (
    # who began an activation, and by which request of theirs
    "ALTER TABLE activations ADD COLUMN client TEXT",
    "ALTER TABLE activations ADD COLUMN request TEXT",
    """
    UPDATE activations SET client = json_extract(CAST(data AS TEXT), '$.client'),
        request = json_extract(CAST(data AS TEXT), '$.request')
    """,
    "CREATE INDEX activations_by_request ON activations (client, request) WHERE request IS NOT NULL",
)

_UNTOLD: Final = (
    # 1 while somebody has still to be told what became of a deed
    "ALTER TABLE deeds ADD COLUMN untold INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX deeds_untold ON deeds (number) WHERE untold = 1",
)

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (_FIRST, _DEEDS, _EVIDENCE, _REQUESTS, _UNTOLD)
"""Step n brings schema n to n + 1. A step that was ever released is never changed."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the database to the newest schema, each step in one transaction.

    Raises CarddError INVALID for the database of a newer cardd or of another program, which is left as it is.
    """
    version = _number(connection, "user_version")
    application = _number(connection, "application_id")
    foreign = application != _APPLICATION and (application or version or _has_tables(connection))
    if foreign:
        raise CarddError(Reason.INVALID, "the journal's file is another program's database: move it away")
    if version > len(MIGRATIONS):
        raise CarddError(
            Reason.INVALID,
            f"the journal was written by a newer cardd (schema {version}, this one knows {len(MIGRATIONS)}):"
            " install that version again",
        )
    for step, statements in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.execute("BEGIN IMMEDIATE")
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {step}")
        connection.execute("COMMIT")


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])


def _has_tables(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None
