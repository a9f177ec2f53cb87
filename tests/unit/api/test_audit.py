import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from cardd.api.audit import DENIAL_WINDOW_S, Audit, Disclosure, fields_beyond, leaves
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.journal.events import NewEvent, StoredEvent
from cardd.wire.base import Json

pytestmark = pytest.mark.asyncio


class StandingClock:
    """A clock whose timers fire when the test says so."""

    def __init__(self) -> None:
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Any:
        self.timers.append((seconds, callback))
        return None

    def a_minute_passes(self) -> None:
        timers, self.timers = self.timers, []
        for seconds, callback in timers:
            assert seconds == DENIAL_WINDOW_S == 60
            callback()


class Records:
    """A journal that keeps what it is told, or cannot."""

    stream = "00"
    last = 0

    def __init__(self) -> None:
        self.events: list[NewEvent] = []
        self.calls = 0
        self.full = False

    def record(self, *events: NewEvent) -> asyncio.Future[tuple[StoredEvent, ...]]:
        done: asyncio.Future[tuple[StoredEvent, ...]] = asyncio.get_running_loop().create_future()
        self.calls += 1
        if self.full:
            done.set_exception(CarddError(Reason.JOURNAL_FULL))
        else:
            self.events += events
            done.set_result(())
        return done

    def subscribe(self, callback: Callable[[Sequence[StoredEvent]], None]) -> Callable[[], None]:
        raise NotImplementedError

    @property
    def evicted(self) -> int:
        raise NotImplementedError

    def position(self, cursor: str) -> int:
        raise NotImplementedError

    async def read(self, after: int, limit: int) -> list[StoredEvent]:
        raise NotImplementedError

    def counts(self) -> list[object]:
        return [event.data["count"] for event in self.events]


async def test_refusals_are_written_at_once_then_once_a_minute_with_their_number() -> None:
    records, clock = Records(), StandingClock()
    audit = Audit(records, clock)
    for _ in range(5):
        await audit.denied("till", "card.read", "read_card")
    assert records.counts() == [1]
    clock.a_minute_passes()
    assert records.counts() == [1, 4]
    await audit.denied("till", "card.read", "read_card")
    assert records.counts() == [1, 4]
    clock.a_minute_passes()
    assert records.counts() == [1, 4, 1]
    clock.a_minute_passes()
    await audit.denied("till", "card.read", "read_card")
    assert records.counts() == [1, 4, 1, 1]


async def test_refusals_that_are_counted_are_written_when_the_daemon_ends() -> None:
    records, clock = Records(), StandingClock()
    audit = Audit(records, clock)
    for _ in range(5):
        await audit.denied("till", "card.read", "read_card")
    await audit.denied("desk", "card.read", "read_card")
    await audit.close()
    assert records.counts() == [1, 1, 4]
    # and not again by a minute that passes meanwhile
    clock.a_minute_passes()
    assert records.counts() == [1, 1, 4]


async def test_refusals_of_other_users_and_methods_are_written_for_themselves() -> None:
    records = Records()
    audit = Audit(records, StandingClock())
    await audit.denied("till", "card.read", "read_card")
    await audit.denied("desk", "card.read", "read_card")
    await audit.denied("till", "activation.start", "activate")
    assert [(event.data["client"], event.data["method"]) for event in records.events] == [
        ("till", "card.read"),
        ("desk", "card.read"),
        ("till", "activation.start"),
    ]


async def test_a_full_journal_does_not_change_a_refusal() -> None:
    records, clock = Records(), StandingClock()
    records.full = True
    audit = Audit(records, clock)
    await audit.denied("till", "card.read", "read_card")
    await audit.denied("till", "card.read", "read_card")
    clock.a_minute_passes()
    await asyncio.sleep(0)
    assert records.calls == 2


async def test_a_full_journal_stops_a_disclosure() -> None:
    records = Records()
    records.full = True
    with pytest.raises(CarddError):
        await Audit(records, StandingClock()).disclosed([Disclosure("till", "visit", "card.read", ["holder.name"])])


async def test_disclosures_of_one_page_are_one_commit() -> None:
    records = Records()
    one = Disclosure("till", "visit", "events.subscribe", ["holder.name"], "front", "1-1", "act-1")
    await Audit(records, StandingClock()).disclosed([one, one])
    assert records.calls == 1
    assert [event.type for event in records.events] == ["personal.disclosed"] * 2
    assert records.events[0].insertion == "1-1"
    assert records.events[0].correlation == "act-1"


async def test_nothing_disclosed_is_nothing_recorded() -> None:
    records = Records()
    await Audit(records, StandingClock()).disclosed([])
    assert records.calls == 0


async def test_what_tells_no_field_is_not_recorded_beside_what_does() -> None:
    records = Records()
    told = Disclosure("till", "visit", "events.subscribe", ["holder.name"])
    await Audit(records, StandingClock()).disclosed([Disclosure("till", "visit", "events.subscribe", []), told])
    assert [event.data["fields"] for event in records.events] == [["holder.name"]]


async def test_the_fields_that_are_told_beyond_the_mask_are_named_by_path() -> None:
    masked: Json = {"holder": {"name": "测*", "sex": "1", "token": "t"}, "state": "x", "card": None}
    whole: Json = {"holder": {"name": "测试", "sex": "1", "token": None}, "state": "x", "card": {"number": "1"}}
    assert fields_beyond(masked, whole) == ["holder.name", "card.number"]
    assert [path for path, _ in leaves({"a": {"b": None, "c": 0}, "d": []})] == ["a.c", "d"]
