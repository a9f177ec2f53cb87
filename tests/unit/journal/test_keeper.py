import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog.testing

from cardd.base.clock import TimerHandle
from cardd.base.sealing import Sealer
from cardd.base.secret import Secret
from cardd.crypto.signing import Ed25519Signer, verify
from cardd.crypto.tokens import KeyedTokens
from cardd.journal.events import NewEvent
from cardd.journal.evidence import Evidence
from cardd.journal.heads import Notary
from cardd.journal.keeper import Keeper, Retention
from cardd.journal.store import Journal, Keeping

pytestmark = pytest.mark.asyncio

TOKENS = KeyedTokens(Secret(b"0123456789abcdef"))
START = datetime(2026, 1, 1, tzinfo=UTC)


class Timer:
    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Calendar:
    day: int = 0
    armed: list[tuple[float, Callable[[], None], Timer]] = field(default_factory=list)
    again: asyncio.Event = field(default_factory=asyncio.Event)

    def now(self) -> datetime:
        return START + timedelta(days=self.day)

    def monotonic(self) -> float:
        return self.day * 86400.0

    def call_later(self, seconds: float, callback: Callable[[], None]) -> TimerHandle:
        timer = Timer()
        self.armed.append((seconds, callback, timer))
        if len(self.armed) > 1:
            self.again.set()
        return timer


@dataclass
class Place:
    clock: Calendar
    journal: Journal
    keeper: Keeper
    evidence: Evidence

    async def on_days(self, *days: int) -> None:
        for self.clock.day in days:
            await self.journal.record(NewEvent("a.b", "s", {"fill": "x" * 20_000}))


def opened(path: Path, sealer: Sealer, retention: Retention) -> Place:
    clock = Calendar()
    keeping = Keeping(notary=Notary(Ed25519Signer(Secret(bytes(32))), clock), tokens=TOKENS)
    journal = Journal.open(path, sealer=sealer, clock=clock, source="/cardd/test", keeping=keeping)
    evidence = Evidence(journal, sealer=sealer, tokens=TOKENS, verify=verify)
    return Place(clock, journal, Keeper(journal, evidence, retention, clock=clock, every_s=60), evidence)


async def test_events_are_kept_for_their_time_and_no_longer(tmp_path: Path, sealer: Sealer) -> None:
    at = opened(tmp_path, sealer, Retention(keep=timedelta(days=10), floor=timedelta(days=5)))
    await at.on_days(0, 1, 2, 11, 12)
    await at.keeper.keep()
    assert at.journal.evicted == 1
    await at.keeper.keep()
    assert at.journal.evicted == 1
    assert (await at.evidence.examine()).whole
    await at.journal.close()


async def test_another_rule_is_gone_by_from_the_next_round_on(tmp_path: Path, sealer: Sealer) -> None:
    at = opened(tmp_path, sealer, Retention(keep=timedelta(days=10), floor=timedelta(days=5)))
    await at.on_days(0, 1, 2, 9, 10)
    at.keeper.follow(Retention(keep=timedelta(days=8), floor=timedelta(days=5)))
    await at.keeper.keep()
    assert at.journal.evicted == 1
    await at.journal.close()


async def test_nothing_younger_than_the_floor_goes_however_short_it_is_to_be_kept(
    tmp_path: Path, sealer: Sealer
) -> None:
    at = opened(tmp_path, sealer, Retention(keep=timedelta(days=1), floor=timedelta(days=5)))
    await at.on_days(0, 2, 7, 8)
    await at.keeper.keep()
    assert at.journal.evicted == 1
    await at.journal.close()


async def test_a_journal_that_is_too_large_loses_its_oldest_down_to_the_floor_and_says_so_then(
    tmp_path: Path, sealer: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cardd.journal.retiring.MOST_AT_ONCE", 1)
    rule = Retention(keep=timedelta(days=100), floor=timedelta(days=5), most_bytes=210_000)
    at = opened(tmp_path, sealer, rule)
    await at.on_days(*range(13))
    before = await at.evidence.size()
    await at.keeper.keep()
    assert before > 210_000 >= await at.evidence.size()
    assert 0 < at.journal.evicted <= 7
    with structlog.testing.capture_logs() as logs:
        await at.on_days(*[12] * 12)
        await at.keeper.keep()
        await at.keeper.keep()
    assert at.journal.evicted == 6
    assert await at.evidence.size() > 210_000
    assert [entry["log_level"] for entry in logs if "larger" in entry["event"]] == ["warning"]
    await at.journal.close()


async def test_it_comes_again_after_every_round_until_it_is_closed(tmp_path: Path, sealer: Sealer) -> None:
    at = opened(tmp_path, sealer, Retention())
    await at.on_days(0)
    at.keeper.start()
    ((seconds, callback, _),) = at.clock.armed
    assert seconds == 60
    callback()
    await at.clock.again.wait()
    assert (await at.journal.ask(lambda database: database.signed)) == 1
    at.keeper.close()
    assert at.clock.armed[1][2].cancelled
    await at.journal.close()


async def test_a_round_that_is_ended_by_closing_leads_to_no_other(tmp_path: Path, sealer: Sealer) -> None:
    at = opened(tmp_path, sealer, Retention())
    gate = threading.Event()
    held = asyncio.ensure_future(at.journal.ask(lambda _: gate.wait(30)))
    at.keeper.start()
    before = asyncio.all_tasks()
    at.clock.armed[0][1]()
    (round_,) = asyncio.all_tasks() - before
    await asyncio.sleep(0)
    at.keeper.close()
    await asyncio.wait({round_})
    assert round_.cancelled()
    assert len(at.clock.armed) == 1
    gate.set()
    await held
    await at.journal.close()


async def test_a_journal_that_cannot_be_looked_after_is_tried_again(tmp_path: Path, sealer: Sealer) -> None:
    at = opened(tmp_path, sealer, Retention())
    await at.journal.close()
    with structlog.testing.capture_logs() as logs:
        at.keeper.start()
        at.clock.armed[0][1]()
        await at.clock.again.wait()
    assert [entry["log_level"] for entry in logs] == ["warning"]
