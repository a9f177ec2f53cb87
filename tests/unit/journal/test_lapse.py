"""What is taken away for its age when the clock is not to be trusted: never what is young."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog.testing

from cardd.base.clock import TimerHandle
from cardd.base.sealing import Sealer
from cardd.base.secret import Secret
from cardd.crypto.signing import verify
from cardd.crypto.tokens import KeyedTokens
from cardd.journal.events import NewEvent
from cardd.journal.evidence import Evidence
from cardd.journal.keeper import Keeper, Retention
from cardd.journal.lapse import Lapse
from cardd.journal.store import Journal

pytestmark = pytest.mark.asyncio

START = datetime(2026, 1, 1, tzinfo=UTC)
TEN_YEARS = 3650 * 24.0
RULE = Retention(keep=timedelta(days=20), floor=timedelta(days=10))


@dataclass
class Clocks:
    """What truly passes, and by how much the wall clock is wrong, in hours."""

    hours: float = 0.0
    wrong: float = 0.0
    booted: float = 0.0

    def now(self) -> datetime:
        return START + timedelta(hours=self.hours + self.wrong)

    def monotonic(self) -> float:
        return (self.hours - self.booted) * 3600

    def call_later(self, seconds: float, callback: Callable[[], None]) -> TimerHandle:
        raise NotImplementedError


class Counter:
    """A counter that records something every hour, and looks after its journal."""

    def __init__(self, directory: Path, sealer: Sealer) -> None:
        self.directory, self.sealer = directory, sealer
        self.clock = Clocks()
        self.told: list[str] = []
        self.begin()

    def begin(self) -> None:
        self.clock.booted = self.clock.hours
        self.journal = Journal.open(self.directory, sealer=self.sealer, clock=self.clock, source="/cardd/test")
        tokens = KeyedTokens(Secret(b"0123456789abcdef"))
        evidence = Evidence(self.journal, sealer=self.sealer, tokens=tokens, verify=verify)
        self.keeper = Keeper(self.journal, evidence, RULE, clock=self.clock, every_s=60)

    async def off(self, hours: float) -> None:
        await self.journal.close()
        self.clock.hours += hours
        self.begin()

    async def run(self, hours: int) -> None:
        """Go on for some hours."""
        for _ in range(hours):
            self.clock.hours += 1
            await self.journal.record(NewEvent("a.b", "s", {"true": self.clock.hours}))
            with structlog.testing.capture_logs() as logs:
                await self.keeper.keep()
            self.told += [line["event"] for line in logs if line["log_level"] == "warning"]

    def youngest_gone(self) -> float:
        """Return how many hours old in truth the newest event is that was taken away."""
        return self.clock.hours - self.journal.evicted


async def test_with_a_clock_that_is_right_what_is_old_goes_within_a_day(tmp_path: Path, sealer: Sealer) -> None:
    at = Counter(tmp_path, sealer)
    await at.run(24 * 23)
    assert 20 * 24 <= at.youngest_gone() <= 21 * 24 + 2
    assert at.told == []
    await at.journal.close()


async def test_a_clock_set_years_ahead_takes_nothing_away_for_a_day_and_says_so_once(
    tmp_path: Path, sealer: Sealer
) -> None:
    at = Counter(tmp_path, sealer)
    await at.run(24 * 3)
    at.clock.wrong = TEN_YEARS
    await at.run(20)
    assert at.journal.evicted == 0
    assert len(at.told) == 1
    assert at.keeper.ahead
    at.clock.wrong = 0
    await at.run(24)
    assert at.journal.evicted == 0
    assert len(at.told) == 1
    await at.journal.close()


async def test_a_clock_that_was_set_years_ahead_while_the_counter_was_off_is_not_trusted_either(
    tmp_path: Path, sealer: Sealer
) -> None:
    at = Counter(tmp_path, sealer)
    await at.run(24 * 3)
    at.clock.wrong = TEN_YEARS
    await at.off(8)
    await at.run(10)
    # and again, further: two leaps are no day
    at.clock.wrong = 2 * TEN_YEARS
    await at.off(8)
    await at.run(5)
    assert at.journal.evicted == 0
    await at.journal.close()


async def test_what_goes_on_consistently_for_more_than_a_day_is_trusted(tmp_path: Path, sealer: Sealer) -> None:
    at = Counter(tmp_path, sealer)
    await at.run(24)
    at.clock.wrong = TEN_YEARS
    await at.run(27)
    # up to the leap: what came before it is as old as what came after it
    assert at.journal.evicted == 0
    await at.run(24 * 22)
    assert at.journal.evicted >= 24
    await at.journal.close()


async def test_a_counter_that_is_off_every_night_and_over_a_holiday_keeps_no_longer_than_it_should(
    tmp_path: Path, sealer: Sealer
) -> None:
    at = Counter(tmp_path, sealer)
    for _ in range(15):
        await at.run(9)
        await at.off(15)
    await at.off(9 * 24)
    for _ in range(6):
        await at.run(9)
        await at.off(15)
    assert at.journal.evicted >= 9 * 8
    assert at.told == []
    await at.journal.close()


async def test_what_a_clock_without_a_battery_dated_long_ago_is_as_young_as_what_came_next(
    tmp_path: Path, sealer: Sealer
) -> None:
    at = Counter(tmp_path, sealer)
    at.clock.wrong = -TEN_YEARS
    await at.run(5)
    at.clock.wrong = 0
    await at.run(24 * 15)
    assert at.journal.evicted == 0
    await at.run(24 * 8)
    assert at.journal.evicted >= 5
    await at.journal.close()


async def test_evidence_never_goes_back_and_never_beyond_the_clock() -> None:
    lapse = Lapse()
    assert lapse.now(START, 5.0) is None
    lapse.take(START, 10.0)
    later = START + timedelta(hours=9)
    assert lapse.now(later, 10.0 + 3600) == START + timedelta(hours=1)
    assert lapse.now(START, 10.0 + 3600) == START
    lapse.take(START, 10.0 + 7200)
    lapse.take(None, 10.0 + 7200)
    assert lapse.now(later, 10.0 + 7200) == START + timedelta(hours=2)
