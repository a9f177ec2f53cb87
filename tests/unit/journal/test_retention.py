import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from cardd.base.clock import SystemClock, TimerHandle
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.sealing import Sealer
from cardd.base.secret import Secret
from cardd.crypto.signing import Ed25519Signer, verify
from cardd.crypto.tokens import KeyedTokens
from cardd.journal import cursor as cursors
from cardd.journal import heads, retiring
from cardd.journal.events import ActivationRow, DeedRow, NewEvent
from cardd.journal.evidence import Evidence, Wanted
from cardd.journal.heads import Notary
from cardd.journal.store import Journal, Keeping

pytestmark = pytest.mark.asyncio

TOKENS = KeyedTokens(Secret(b"0123456789abcdef"))
NOTARY = Notary(Ed25519Signer(Secret(bytes(range(32)))), SystemClock())
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Calendar:
    """A clock whose date is set."""

    day: int = 0

    def now(self) -> datetime:
        return START + timedelta(days=self.day)

    def monotonic(self) -> float:
        return float(self.day)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> TimerHandle:
        raise NotImplementedError


def opened(path: Path, sealer: Sealer, clock: Calendar) -> tuple[Journal, Evidence]:
    keeping = Keeping(notary=NOTARY, tokens=TOKENS)
    journal = Journal.open(path, sealer=sealer, clock=clock, source="/cardd/test", keeping=keeping)
    return journal, Evidence(journal, sealer=sealer, tokens=TOKENS, verify=verify)


async def on_days(journal: Journal, clock: Calendar, *days: int) -> None:
    for clock.day in days:
        await journal.record(NewEvent("a.b", "s", {"day": clock.day}, {"number": f"T{clock.day}"}))


async def sequences(journal: Journal, after: int) -> list[int]:
    return [event.sequence for event in await journal.read(after, 100)]


async def test_the_oldest_events_go_and_an_event_says_which(tmp_path: Path, sealer: Sealer) -> None:
    clock = Calendar()
    journal, evidence = opened(tmp_path, sealer, clock)
    await on_days(journal, clock, 0, 1, 2)
    gone = journal.head
    await on_days(journal, clock, 3, 4)
    assert await evidence.retire(START + timedelta(days=3)) == 3
    assert await sequences(journal, 3) == [4, 5, 6]
    *_, told = await journal.read(3, 100)
    assert told.type == "journal.evicted"
    data = msgspec.json.decode(told.data)
    assert (data["first"], data["last"], data["events"], data["head"]) == (1, 3, 3, gone)
    assert data["began"].startswith("2026-01-01")
    assert data["ended"].startswith("2026-01-03")
    assert await evidence.retire(START + timedelta(days=3)) == 0
    await journal.close()


async def test_what_is_left_verifies_against_heads_from_before_and_from_after(tmp_path: Path, sealer: Sealer) -> None:
    clock = Calendar()
    journal, evidence = opened(tmp_path, sealer, clock)
    await on_days(journal, clock, 0, 1, 2)
    at_the_cut = journal.head
    await on_days(journal, clock, 3, 4)
    later = journal.head
    await evidence.retire(START + timedelta(days=3))
    await journal.close()
    journal, evidence = opened(tmp_path, sealer, clock)
    report = await evidence.examine(map(heads.parse, (at_the_cut, later)))
    assert (report.whole, report.first, report.agreed) == (True, 4, [at_the_cut, later])
    await on_days(journal, clock, 5)
    assert (await evidence.examine()).whole
    await journal.close()


async def test_cursors_before_what_is_left_are_gone_and_name_the_earliest(tmp_path: Path, sealer: Sealer) -> None:
    clock = Calendar()
    journal, evidence = opened(tmp_path, sealer, clock)
    await on_days(journal, clock, 0, 1, 2, 3)
    await evidence.retire(START + timedelta(days=2))
    for cursor in (cursors.encode(journal.stream, 1), "nonsense"):
        with pytest.raises(CarddError) as caught:
            journal.position(cursor)
        assert caught.value.facts == {"earliest": cursors.encode(journal.stream, 2)}
    with pytest.raises(CarddError) as caught:
        await journal.read(1, 10)
    assert caught.value.reason is Reason.CURSOR_GONE
    assert journal.position(cursors.encode(journal.stream, 2)) == 2
    for question in (evidence.export(1, None), evidence.export(0, None)):
        with pytest.raises(CarddError) as caught:
            await question
        assert caught.value.reason is Reason.CURSOR_GONE
    await journal.close()
    journal, evidence = opened(tmp_path, sealer, clock)
    assert journal.evicted == 2
    await journal.close()


async def test_a_young_event_keeps_what_comes_after_it_whatever_the_clock_said_then(
    tmp_path: Path, sealer: Sealer
) -> None:
    clock = Calendar()
    journal, evidence = opened(tmp_path, sealer, clock)
    await on_days(journal, clock, 0, 9, 1, 2)
    assert await evidence.retire(START + timedelta(days=5)) == 1
    assert await sequences(journal, 1) == [2, 3, 4, 5]
    await journal.close()


async def test_everything_may_go_and_the_stream_goes_on(tmp_path: Path, sealer: Sealer) -> None:
    clock = Calendar()
    journal, evidence = opened(tmp_path, sealer, clock)
    await on_days(journal, clock, 0, 1)
    clock.day = 9
    await evidence.retire(START + timedelta(days=8))
    (stored,) = await journal.record(NewEvent("a.b", "s", {}))
    assert stored.sequence == 4
    assert (await evidence.examine()).whole
    await journal.close()


async def test_ended_activations_and_deeds_go_with_their_events_and_open_ones_stay(
    tmp_path: Path, sealer: Sealer
) -> None:
    clock = Calendar()
    journal, evidence = opened(tmp_path, sealer, clock)
    for name, is_open in (("open", True), ("ended", False)):
        activation = ActivationRow(name, "s", "pharmacy", "x", is_open, {}, {"old_card": "O-1"})
        deed = DeedRow("till", name, "account.debit", is_open, {})
        await journal.record(NewEvent("a.b", "s", {}), activation=activation, deed=deed)
    clock.day = 9
    await evidence.retire(START + timedelta(days=8))
    assert [row.id for row in await journal.activations(open_only=False)] == ["open"]
    assert await journal.deed("till", "ended") is None
    assert await journal.deed("till", "open") is not None
    assert (await evidence.find(Wanted(card="T0"), after=2, limit=10)).events == []
    await journal.close()


async def test_much_goes_in_steps(tmp_path: Path, sealer: Sealer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cardd.journal.retiring.MOST_AT_ONCE", 3)
    clock = Calendar()
    journal, evidence = opened(tmp_path, sealer, clock)
    await on_days(journal, clock, *range(8))
    assert await evidence.retire(START + timedelta(days=8)) == 8
    told = [msgspec.json.decode(event.data) for event in await journal.read(8, 10)]
    assert [(one["first"], one["last"]) for one in told] == [(1, 3), (4, 6), (7, 8)]
    await journal.close()


async def test_old_events_are_looked_through_once_in_however_many_steps_they_go(
    tmp_path: Path, sealer: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cardd.journal.retiring.MOST_AT_ONCE", 1)
    monkeypatch.setattr("cardd.journal.retiring.LOOKED_AT_ONCE", 4)
    looks: list[retiring.Old] = []
    look = retiring.look

    def looking(connection: sqlite3.Connection, before: str, old: retiring.Old) -> retiring.Old:
        looks.append(old)
        return look(connection, before, old)

    monkeypatch.setattr("cardd.journal.retiring.look", looking)
    clock = Calendar()
    journal, evidence = opened(tmp_path, sealer, clock)
    await on_days(journal, clock, *range(10))
    assert await evidence.retire(START + timedelta(days=9)) == 9
    assert [old.through for old in looks] == [0, 4, 8]
    assert (await sequences(journal, 9))[0] == 10
    await journal.close()


async def test_a_leap_of_the_clock_keeps_what_is_before_it_however_far_it_is_to_the_leap(
    tmp_path: Path, sealer: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cardd.journal.retiring.MOST_AT_ONCE", 2)
    monkeypatch.setattr("cardd.journal.retiring.LOOKED_AT_ONCE", 3)
    clock = Calendar()
    journal, evidence = opened(tmp_path, sealer, clock)
    await on_days(journal, clock, *range(8), 100)
    assert await evidence.retire(START + timedelta(days=50)) == 0
    assert await sequences(journal, 0) == list(range(1, 10))
    await journal.close()
