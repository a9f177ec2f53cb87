"""What is done for the journal now and then: its head signed, old events taken away."""

import asyncio
from datetime import datetime, timedelta
from typing import Final

import structlog

from cardd.base.clock import Clock, TimerHandle
from cardd.base.errors import CarddError
from cardd.base.structs import Struct
from cardd.journal.evidence import Evidence
from cardd.journal.lapse import A_DAY, LONGEST_STEP, Lapse
from cardd.journal.store import Journal

log = structlog.get_logger()

SIX_MONTHS: Final = timedelta(days=183)
_LOOK_S: Final = 3600.0
"""So often the journal is asked what time it has seen."""


class Retention(Struct, frozen=True):
    """How long events are kept, by a time that has come for sure.

    `most_bytes` takes them away earlier, but never any that is younger than `floor`.
    """

    keep: timedelta = timedelta(days=366)
    floor: timedelta = SIX_MONTHS
    most_bytes: int | None = None


class Keeper:
    """Looks after a journal, every so many seconds. The event loop's thread."""

    def __init__(
        self, journal: Journal, evidence: Evidence, retention: Retention, *, clock: Clock, every_s: float
    ) -> None:
        self._journal = journal
        self._evidence = evidence
        self._retention = retention
        self._clock = clock
        self._every_s = every_s
        self._timer: TimerHandle | None = None
        self._round: asyncio.Task[None] | None = None
        self._too_large = False
        self._lapse = Lapse()
        self._looked: float | None = None
        self._ahead = False
        self._closed = False

    def start(self) -> None:
        """Begin after the first interval."""
        self._timer = self._clock.call_later(self._every_s, self._begin)

    @property
    def ahead(self) -> bool:
        """Whether nothing goes by the clock yet, as it is ahead of what the journal has seen."""
        return self._ahead

    def close(self) -> None:
        """Look after it no longer."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._round is not None:
            self._round.cancel()

    def follow(self, retention: Retention) -> None:
        """Go by another rule from the next time on."""
        self._retention = retention

    async def keep(self) -> None:
        """Do what is due now. Raises CarddError JOURNAL_*."""
        await self._journal.make_room()
        await self._journal.sign()
        now, rule = await self._time(), self._retention
        if now is None:
            return
        count = await self._evidence.retire(now - max(rule.keep, rule.floor))
        if rule.most_bytes is not None:
            count += await self._evidence.retire(now - rule.floor, most_bytes=rule.most_bytes)
            await self._tell_size(rule.most_bytes)
        if count:
            log.info("old events were taken out of the journal", events=count)

    async def _time(self) -> datetime | None:
        """Return the time by which events are old; None while nothing but the clock's word says what time it is."""
        clock, at = self._clock.now(), self._clock.monotonic()
        if self._looked is None or at - self._looked >= _LOOK_S:
            self._looked = at
            self._lapse.take(await self._evidence.witnessed(), at)
        sure = self._lapse.now(clock, at)
        ahead = sure is not None and clock - sure > LONGEST_STEP
        if ahead and not self._ahead:
            days = A_DAY.days
            log.warning("the clock is ahead of what the journal has seen: nothing goes by it yet", after_days=days)
        self._ahead = ahead
        return sure

    async def _tell_size(self, most: int) -> None:
        too_large = await self._evidence.size() > most
        if too_large and not self._too_large:
            days = self._retention.floor.days
            log.warning("the journal is larger than it should be: all of it is to be kept", floor_days=days)
        self._too_large = too_large

    def _begin(self) -> None:
        self._round = asyncio.get_running_loop().create_task(self._attempt())

    async def _attempt(self) -> None:
        try:
            await self.keep()
        except CarddError as error:
            log.warning("the journal could not be looked after", reason=str(error.reason))
        finally:
            if not self._closed:
                self.start()
