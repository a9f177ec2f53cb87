"""The journal of a directory without a daemon: for examining and exporting it, and for nothing else.

No opening is counted and nothing is recorded; only the lock is taken, so that no daemon begins meanwhile.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.journal import limits, transcript
from cardd.journal.connection import FILE_NAME, opened
from cardd.journal.evidence import take
from cardd.journal.examiner import Alteration, Examiner
from cardd.journal.heads import Place
from cardd.journal.limits import Limit
from cardd.journal.lock import DirectoryLock
from cardd.journal.pages import Page, origin, page


class Archive:
    """A stored chain, read from its beginning."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def examine(self, examiner: Examiner) -> None:
        """Have all of it examined, sealed parts included; the first thing that is wrong ends it."""
        at = origin(self._connection)
        try:
            examiner.begin(at)
            for part in self._pages(at, limits.last(self._connection)):
                take(examiner, part)
                at = part.after
            examiner.end(at)
            examiner.finish()
        except Alteration as found:
            examiner.note(found)

    def lines(self, source: str, after: Limit | None = None, until: Limit | None = None) -> Iterator[bytes]:
        """Yield the lines of an export of what lies between two limits (None: of all there is on that side).

        Raises CarddError: CURSOR_GONE for a limit that is not in it, INVALID where it would end before it begins.
        """
        at = origin(self._connection) if after is None else limits.find(self._connection, after)
        end = limits.last(self._connection) if until is None else limits.find(self._connection, until).sequence
        limits.in_order(at.sequence, end)
        yield from transcript.lines(Page(at, [], {}), source)
        for part in self._pages(at, end):
            yield from transcript.lines(part, source)
            at = part.after
        yield transcript.end(at)

    def _pages(self, at: Place, last: int) -> Iterator[Page]:
        while at.sequence < last:
            part = page(self._connection, at, last)
            if not part.links:
                # what is missing is the examiner's to find: go on behind it
                break
            yield part
            at = part.after


@contextmanager
def archive(directory: Path) -> Iterator[Archive]:
    """Open the journal of a directory.

    Raises CarddError: NOT_FOUND where there is none, BUSY while a daemon has it, INVALID, JOURNAL_UNAVAILABLE.
    """
    if not (directory / FILE_NAME).is_file():
        raise CarddError(Reason.NOT_FOUND, f"there is no journal in {directory}")
    try:
        lock = DirectoryLock(directory)
    except OSError as error:
        raise CarddError(Reason.JOURNAL_UNAVAILABLE, f"{directory} cannot be used: {error.strerror}") from None
    try:
        with opened(directory) as connection:
            connection.execute("PRAGMA query_only = ON")
        try:
            yield Archive(connection)
        finally:
            connection.close()
    finally:
        lock.release()
