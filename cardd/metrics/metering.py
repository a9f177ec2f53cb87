"""Who measures: listens to the journal, and is entered where reading and asking are to be timed."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from cardd.base.clock import Clock
from cardd.base.errors import CarddError
from cardd.journal.store import Journal
from cardd.metrics import rows
from cardd.metrics.book import Book
from cardd.metrics.hearing import Hearing


class Metering:
    """Hears, times and counts on the loop's thread, and keeps the book of it. Costs nothing to speak of."""

    def __init__(self, clock: Clock) -> None:
        self.book: Final = Book()
        self._clock = clock

    def hear(self, journal: Journal) -> None:
        """Count what the journal tells from now on, and how long its commits take."""
        journal.subscribe(Hearing(self.book, self._clock).hear)
        journal.time_commits(partial(self.book.note, rows.COMMIT_S))

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Time the reading of a card for a client; a failure counts by its reason."""
        began = self._clock.monotonic()
        outcome = "abandoned"
        try:
            yield
            outcome = "read"
            self.book.note(rows.READ_S, self._clock.monotonic() - began)
        except CarddError as error:
            outcome = str(error.reason)
            raise
        finally:
            self.book.add(rows.READS, outcome)

    @contextmanager
    def asking(self, question: str) -> Iterator[None]:
        """Time a question to the authority; a failure has its reason as the outcome."""
        began = self._clock.monotonic()
        outcome = "abandoned"
        try:
            yield
            outcome = "answered"
        except CarddError as error:
            outcome = str(error.reason)
            raise
        finally:
            self.book.note(rows.AUTHORITY_S, self._clock.monotonic() - began, question, outcome)

    def refused(self, method: str, reason: str) -> None:
        """Count a request that was refused."""
        self.book.add(rows.REFUSALS, method, reason)
