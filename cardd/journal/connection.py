"""The one connection to the journal's file: how it is opened, what its errors mean, how a transaction ends."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.journal.directory import make_durable
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
    # what was erased or evicted is overwritten where it lay
    ("secure_delete = ON", None),
)


def failure(error: sqlite3.Error) -> CarddError:
    """Return what a database error means to callers; its own words are left out, they may quote."""
    if is_full(error):
        return CarddError(Reason.JOURNAL_FULL, "no space is left for the journal")
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return CarddError(Reason.JOURNAL_UNAVAILABLE, f"the journal's database failed ({name})")


def is_full(error: sqlite3.Error) -> bool:
    """Tell whether an error says that no space is left."""
    return _code(error) == sqlite3.SQLITE_FULL


def _code(error: sqlite3.Error) -> int:
    # errors of the module itself, not of the library, carry no code
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


@contextlib.contextmanager
def opened(directory: Path) -> Iterator[sqlite3.Connection]:
    """Open or create the file and bring its schema up; what fails within closes it again.

    Raises CarddError: INVALID for a newer schema or a foreign or broken file, JOURNAL_FULL, JOURNAL_UNAVAILABLE.
    """
    path = directory / FILE_NAME
    try:
        # sqlite would leave it to the umask; the WAL takes the file's own mode
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error):
        raise CarddError(Reason.JOURNAL_UNAVAILABLE, f"{path} cannot be opened") from None
    try:
        _configure(connection, path)
        migrate(connection)
        yield connection
        make_durable(directory)
    except sqlite3.DatabaseError as error:
        connection.close()
        if _code(error) in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
            raise CarddError(Reason.INVALID, f"{path} is damaged or no journal: move it away and keep it") from None
        raise failure(error) from None
    except OSError:
        connection.close()
        raise CarddError(Reason.JOURNAL_UNAVAILABLE, f"{directory} cannot be written") from None
    except BaseException:
        connection.close()
        raise


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what is done within, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # a full disk may have ended the transaction already
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _configure(connection: sqlite3.Connection, path: Path) -> None:
    for setting, expected in _SETTINGS:
        row = connection.execute(f"PRAGMA {setting}").fetchone()
        if expected is not None and row != (expected,):
            raise CarddError(Reason.JOURNAL_UNAVAILABLE, f"{path} lies where `{setting}` is not possible")
