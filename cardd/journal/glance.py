"""A glance at a stored journal without its lock: good enough to tell the time of what was recorded last."""

import contextlib
import sqlite3
from datetime import datetime
from pathlib import Path

from cardd.journal.connection import FILE_NAME


def newest_time(directory: Path) -> datetime | None:
    """Return the time of the newest event in a directory; None where there is none, or it cannot be read.

    Takes no lock and writes nothing. After a crash the last few events may not be seen yet.
    """
    uri = f"{(directory / FILE_NAME).absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
            row = connection.execute("SELECT time FROM events ORDER BY sequence DESC LIMIT 1").fetchone()
        return None if row is None else datetime.fromisoformat(row[0])
    except (sqlite3.Error, ValueError):
        return None
