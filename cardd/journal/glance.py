"""A glance at a stored journal without its lock: good enough to tell the time of what was recorded last."""

import contextlib
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Final

from cardd.journal.connection import FILE_NAME

_NEWEST: Final = "SELECT max(time) FROM (SELECT time FROM events ORDER BY sequence DESC LIMIT 200)"


def newest_time(directory: Path) -> datetime | None:
    """Return the latest time of the newest events in a directory; None where there is none, or it cannot be read.

    That is the last one's, unless the clock was set back among them. Takes no lock and writes nothing. After a crash
    the last few events may not be seen yet.
    """
    uri = f"{(directory / FILE_NAME).absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
            row = connection.execute(_NEWEST).fetchone()
        return None if row[0] is None else datetime.fromisoformat(row[0])
    except (sqlite3.Error, ValueError):
        return None
