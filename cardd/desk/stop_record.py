"""Stopped keys on the disk: a restart must not have the next card pay for a key that is known to be wrong."""

import asyncio
import concurrent.futures
from collections.abc import Iterable
from typing import Final

import structlog

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.journal.events import DeedRow, Json, NewEvent
from cardd.journal.store import Journal
from cardd.rules.keys import KeyName

log = structlog.get_logger()

METHOD: Final = "key.stopped"
_NO_CLIENT: Final = ""
"""Whose deeds these are: the daemon's own. No client's name is empty."""

_RECORD_S: Final = 2.0
"""How long a refusal is held back for its stop to be on the disk; with a disk that is slower, memory has to do."""


class StopRecord:
    """Keeps, for each station, which keys are stopped there: one open deed, renewed together with each event of it.

    Event loop's thread, but for the call, which is that of `StoppedKeys.on_stopped`.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._loop = asyncio.get_running_loop()
        self._kept: dict[str, set[KeyName]] = {}

    async def load(self, stations: Iterable[str]) -> list[tuple[str, KeyName]]:
        """Return what was stopped on these stations when the daemon ended, however it ended."""
        for station in stations:
            row = await self._journal.deed(_NO_CLIENT, station)
            keys = None if row is None else row.data.get("keys")
            self._kept[station] = {key for key in KeyName if isinstance(keys, list) and str(key) in keys}
        return [(station, key) for station, keys in self._kept.items() for key in sorted(keys)]

    def __call__(self, station: str, key: KeyName) -> None:
        """Record a stop from a reader's thread; return once it is durable, or after a while all the same."""
        try:
            written = asyncio.run_coroutine_threadsafe(self._stop(station, key), self._loop)
            written.result(_RECORD_S)
        except (CarddError, concurrent.futures.TimeoutError) as error:
            reason = error.reason if isinstance(error, CarddError) else Reason.TIMEOUT
            log.warning("a stopped key is not on record", station=station, key=str(key), reason=str(reason))

    async def lift(self, station: str, keys: tuple[KeyName, ...], event: NewEvent) -> None:
        """Record that keys are stopped no longer, with the event that tells it. Raises CarddError JOURNAL_*."""
        kept = self._kept.setdefault(station, set())
        # at once, so that a stop that is met meanwhile is recorded without what is lifted here
        kept.difference_update(keys)
        try:
            await self._journal.record(event, deed=_row(station, kept))
        except CarddError:
            kept.update(keys)
            raise

    async def _stop(self, station: str, key: KeyName) -> None:
        self._kept.setdefault(station, set()).add(key)
        event = NewEvent(
            "key.stopped", station, {"key": str(key), "text": {"code": str(Reason.KEY_STOPPED), "args": {}}}
        )
        await self._journal.record(event, deed=_row(station, self._kept[station]))


def _row(station: str, keys: set[KeyName]) -> DeedRow:
    names: list[Json] = [str(key) for key in sorted(keys)]
    return DeedRow(_NO_CLIENT, station, METHOD, open=bool(names), data={"keys": names})
