"""What was counted and timed since the start: plain numbers, which cost nothing until somebody asks for the text."""

from bisect import bisect_left
from collections.abc import Mapping
from typing import Final

from cardd.base.structs import Struct
from cardd.metrics.rows import ROWS, Kind, Row

Labels = tuple[str, ...]


class Times(Struct, frozen=True):
    """How many times were no longer than each bound, and beyond all of them; and their sum in seconds."""

    counts: tuple[int, ...]
    seconds: float


Figures = Mapping[str, Mapping[Labels, float | Times]]
"""Every figure by the name of its row, then by the values of its labels."""


class _Bins:
    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds: Final = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.seconds = 0.0

    def note(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.seconds += seconds


class Book:
    """Counts and times. Loop thread only."""

    def __init__(self) -> None:
        counters = {name: row for name, row in ROWS.items() if row.kind is Kind.COUNTER}
        self._counts = {name: dict.fromkeys(_known(row), 0.0) for name, row in counters.items()}
        timed = {name: row for name, row in ROWS.items() if row.kind is Kind.HISTOGRAM}
        self._times = {name: {one: _Bins(row.bounds) for one in _known(row)} for name, row in timed.items()}

    def add(self, row: Row, *labels: str, by: float = 1) -> None:
        """Count something."""
        counts = self._counts[row.name]
        counts[labels] = counts.get(labels, 0.0) + by

    def note(self, row: Row, seconds: float, *labels: str) -> None:
        """Keep how long something took."""
        times = self._times[row.name]
        bins = times.get(labels)
        if bins is None:
            bins = times[labels] = _Bins(row.bounds)
        bins.note(seconds)

    def figures(self) -> Figures:
        """Return all of it as it is now, for any thread."""
        counts = {name: dict(of) for name, of in self._counts.items()}
        times = {
            name: {labels: Times(tuple(bins.counts), bins.seconds) for labels, bins in of.items()}
            for name, of in self._times.items()
        }
        return {**counts, **times}


def _known(row: Row) -> tuple[Labels, ...]:
    return row.known or (() if row.labels else ((),))
