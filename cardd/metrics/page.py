"""The page of all figures: what was counted, and what is asked at that moment."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Struct
from cardd.journal.events import Statistics
from cardd.journal.reserve import Space
from cardd.metrics import rows
from cardd.metrics.book import Book, Figures, Labels, Times
from cardd.readers.facts import ReaderStatus

Asked = dict[str, Mapping[Labels, float | Times]]


class Sources(Struct, frozen=True):
    """Whom a page asks, on the loop's thread.

    `began` is when the daemon did, in seconds since 1970; `versions` are cardd's and Python's; `state` is the directory
    of the journal. `stopped` tells the number of stopped keys by station, `authority` whether its last question was
    answered, None before the first.
    """

    versions: tuple[str, str]
    began: float
    state: Path
    readers: Callable[[], Sequence[ReaderStatus]]
    serves: Callable[[], bool]
    statistics: Callable[[], Statistics]
    evicted: Callable[[], int]
    stopped: Callable[[], Mapping[str, int]]
    authority: Callable[[], bool | None]
    open_activations: Callable[[], int]
    clients: Callable[[], int]


class Page:
    """Makes the page, in either format. The first one imports what writes it; all are written on a thread."""

    def __init__(self, book: Book, sources: Sources) -> None:
        self._book = book
        self._sources = sources

    async def openmetrics(self) -> str:
        """Return OpenMetrics text. Raises CarddError(NOT_FOUND) where the extra `metrics` is not installed."""
        return await self._written("openmetrics")

    async def prometheus(self) -> str:
        """Return the text that node_exporter takes from a file. Raises likewise."""
        return await self._written("prometheus")

    async def _written(self, form: str) -> str:
        return await asyncio.to_thread(_write, form, self._figures(), self._sources.state)

    def _figures(self) -> Figures:
        return {**self._book.figures(), **self._asked()}

    def _asked(self) -> Asked:
        sources = self._sources
        statistics, authority = sources.statistics(), sources.authority()
        asked: Asked = {
            rows.INFO.name: {sources.versions: 1},
            rows.BEGAN.name: {(): sources.began},
            rows.READERS.name: _readers(sources.readers()),
            rows.PCSC_UP.name: {(): int(sources.serves())},
            rows.OPEN.name: {(): sources.open_activations()},
            rows.SEQUENCE.name: {(): statistics.last},
            rows.EVICTED.name: {(): sources.evicted()},
            rows.JOURNAL_BYTES.name: {(): statistics.bytes},
            rows.SPACE.name: {(str(space),): int(space is statistics.space) for space in Space},
            rows.STOPPED.name: {(station,): number for station, number in sources.stopped().items()},
            rows.CLIENTS.name: {(): sources.clients()},
        }
        if authority is not None:
            asked[rows.AUTHORITY_UP.name] = {(): int(authority)}
        return asked


def _readers(views: Sequence[ReaderStatus]) -> dict[Labels, float]:
    """Count readers by station, role and state; every state of a station's role is told, that its end be seen, too."""
    counts = Counter((view.station, str(view.role), str(view.state)) for view in views)
    places = {(view.station, str(view.role)): None for view in views}
    return {(*place, state): counts[*place, state] for place in places for state in rows.READER_STATES}


def _write(form: str, figures: Figures, state: Path) -> str:
    try:
        # asked for by those who measure: the others need not pay for the import, which is a sixth of a start
        from cardd.metrics.text import FORMS  # noqa: PLC0415
    except ImportError:
        raise CarddError(Reason.NOT_FOUND, "metrics need the extra `metrics`: cardd[metrics]") from None
    return FORMS[form]({**figures, **_disk(state), **_process()})


def _disk(state: Path) -> Figures:
    """Ask the disk, on a thread: it may be one that hangs."""
    try:
        disk = os.statvfs(state)
    except OSError:
        return {}
    return {rows.FREE_BYTES.name: {(): disk.f_bavail * disk.f_frsize}}


def _process() -> Figures:
    """Ask what the library's own collector does, which wants /proc/stat, and a hardened service does not see that."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return {
        rows.CPU.name: {(): time.process_time()},
        rows.MEMORY.name: {(): pages * os.sysconf("SC_PAGE_SIZE")},
        rows.FILES.name: {(): sum(1 for _ in Path("/proc/self/fd").iterdir())},
    }
