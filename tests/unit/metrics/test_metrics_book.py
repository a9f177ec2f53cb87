"""What is counted and timed, by whom, before anybody makes text of it."""

import asyncio
import json
from typing import Any

import pytest
from support.readers import ManualClock

from cardd.activation.authority import Centre
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.journal.events import StoredEvent
from cardd.metrics import rows
from cardd.metrics.book import Book, Times
from cardd.metrics.hearing import Hearing
from cardd.metrics.metering import Metering
from cardd.metrics.rows import Row
from cardd.metrics.timing import TimedCentre


class Desk:
    """Events as the journal tells them, at moments of a clock."""

    def __init__(self) -> None:
        self.book = Book()
        self.clock = ManualClock()
        self._hearing = Hearing(self.book, self.clock)
        self._sequence = 0

    def tell(self, _type: str, *, insertion: str | None = None, activation: str | None = None, **data: Any) -> None:
        self._sequence += 1
        whole = json.dumps(data).encode()
        event = StoredEvent(self._sequence, "e", _type, "t", "front", insertion, activation, whole, None)
        self._hearing.hear([event])

    def count(self, row: Row, *labels: str) -> object:
        return self.book.figures()[row.name].get(labels)

    def times(self, row: Row, *labels: str) -> Times | None:
        found = self.book.figures()[row.name].get(labels)
        assert not isinstance(found, float)
        return found


def test_a_time_counts_up_to_and_with_its_bound() -> None:
    book = Book()
    for seconds in (0.01, 0.011, 99.0):
        book.note(rows.READ_S, seconds)
    times = book.figures()[rows.READ_S.name][()]
    assert isinstance(times, Times)
    assert times.counts == (1, 1, *[0] * 8, 1)
    assert times.seconds == pytest.approx(99.021)


def test_figures_that_were_taken_do_not_change_any_more() -> None:
    book = Book()
    book.note(rows.READ_S, 1.0)
    book.add(rows.PCSC_RESTARTS)
    before = book.figures()
    book.note(rows.READ_S, 1.0)
    book.add(rows.PCSC_RESTARTS)
    assert before[rows.PCSC_RESTARTS.name] == {(): 1}
    assert before != book.figures()


def test_what_can_be_counted_is_shown_before_it_was() -> None:
    figures = Book().figures()
    assert figures[rows.PCSC_RESTARTS.name] == {(): 0}
    assert figures[rows.ENDED.name]["bank", "activated_update_pending"] == 0
    assert len(figures[rows.ENDED.name]) == 18
    assert figures[rows.READ_S.name] == {(): Times((0,) * 11, 0.0)}


def test_a_card_is_timed_from_its_insertion_to_what_it_is() -> None:
    desk = Desk()
    desk.tell("card.inserted", insertion="1-1", role="counter")
    desk.clock.advance(0.5)
    desk.tell("card.identified", insertion="1-1", kind="social_security", generation="3.0", authentic=None)
    desk.clock.advance(50)
    desk.tell("card.identified", insertion="1-1", kind="social_security", generation="3.0", authentic=True)
    desk.tell("card.removed", insertion="1-1", cause="removed")
    desk.tell("card.inserted", insertion="1-2", role="counter")
    desk.clock.advance(1)
    desk.tell("card.rejected", insertion="1-2", reason="CARD_UNKNOWN")
    desk.tell("card.rejected", reason="CARD_MUTE")
    assert desk.times(rows.IDENTIFICATION_S) == Times((0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0), 1.5)
    assert desk.count(rows.INSERTED, "counter") == 2
    assert desk.count(rows.IDENTIFIED, "social_security", "3.0", "unknown") == 1
    assert desk.count(rows.IDENTIFIED, "social_security", "3.0", "true") == 1
    assert desk.count(rows.REJECTED, "CARD_MUTE") == 1
    assert desk.count(rows.REMOVED, "removed") == 1


def test_a_card_that_leaves_unknown_is_not_waited_for() -> None:
    desk = Desk()
    for number in range(3):
        desk.tell("card.inserted", insertion=f"1-{number}", role="sam")
        desk.tell("card.removed", insertion=f"1-{number}", cause="removed")
    assert desk._hearing._inserted == {}


@pytest.mark.parametrize(
    ("kind", "data", "outcome"),
    [
        ("activation.completed", {"outcome": "already_active"}, "already_active"),
        ("activation.refused", {"reason": "CARD_LOST"}, "refused"),
        ("activation.cancelled", {"reason": None}, "cancelled"),
        ("activation.expired", {"cause": "deadline"}, "expired"),
    ],
)
def test_an_activation_counts_by_route_and_outcome_and_is_timed(kind: str, data: dict[str, Any], outcome: str) -> None:
    desk = Desk()
    desk.tell("activation.started", activation="a", route="bank")
    desk.clock.advance(7)
    desk.tell("activation.in_doubt", activation="a", state="in_doubt")
    desk.tell(kind, activation="a", route="bank", **data)
    desk.tell(kind, activation="of-an-earlier-start", route="bank", **data)
    times = desk.times(rows.ACTIVATION_S, "bank")
    assert desk.count(rows.STARTED, "bank") == 1
    assert desk.count(rows.ENDED, "bank", outcome) == 2
    assert (times is not None and times.seconds, desk.count(rows.IN_DOUBT)) == (7.0, 1)
    assert desk.count(rows.REFUSED, "bank", "CARD_LOST") == (2 if outcome == "refused" else None)
    assert desk._hearing._started == {}


def test_outages_denials_and_money_are_counted() -> None:
    desk = Desk()
    desk.tell("pcsc.down", reason="PCSC_UNAVAILABLE")
    desk.tell("pcsc.up")
    desk.tell("access.denied", client="x", method="card.read", right="read_card", count=1)
    desk.tell("access.denied", client="x", method="card.read", right="read_card", count=41)
    desk.tell("account.debited", outcome="done")
    desk.tell("personal.disclosed", method="card.read", purpose="登记", fields=["holder.name"])
    assert desk.count(rows.PCSC_OUTAGES, "PCSC_UNAVAILABLE") == 1
    assert desk.count(rows.PCSC_RESTARTS) == 1
    assert desk.count(rows.DENIED, "read_card") == 42
    assert desk.count(rows.MONEY, "debited", "done") == 1
    assert desk.count(rows.DISCLOSED, "card.read") == 1
    assert desk.count(rows.EVENTS, "access.denied") == 2


def test_reading_is_timed_where_it_succeeds_and_counted_either_way() -> None:
    clock = ManualClock()
    metering = Metering(clock)
    with metering.reading():
        clock.advance(0.2)
    for error in (CarddError(Reason.CARD_REMOVED), asyncio.CancelledError()):
        with pytest.raises(type(error)), metering.reading():
            raise error
    figures = metering.book.figures()
    assert figures[rows.READS.name] == {("read",): 1, ("CARD_REMOVED",): 1, ("abandoned",): 1}
    times = figures[rows.READ_S.name][()]
    assert isinstance(times, Times)
    assert sum(times.counts) == 1
    assert times.seconds == pytest.approx(0.2)


def test_every_question_to_the_authority_is_timed_under_its_name() -> None:
    class Silent:
        def __getattr__(self, name: str) -> object:
            async def ask(*_: object, **__: object) -> None:
                if name == "outcome":
                    raise CarddError(Reason.AUTHORITY_UNAVAILABLE)

            return ask

    metering = Metering(ManualClock())
    silent: Any = Silent()
    timed = TimedCentre(silent, metering.asking)
    asked: dict[str, tuple[Any, ...]] = {
        "look_up_old_card": ("1",),
        "verify_old_password": ("k", "1", None),
        "look_up_social_card": (None, None, None),
        "activate": (None,),
        "outcome": ("k",),
    }

    async def ask() -> None:
        for name, values in asked.items():
            if name == "outcome":
                with pytest.raises(CarddError):
                    await getattr(timed, name)(*values)
            else:
                await getattr(timed, name)(*values)
        await timed.report_update("k", written=True)

    asyncio.run(ask())
    answered = {labels for labels in metering.book.figures()[rows.AUTHORITY_S.name] if labels[1] == "answered"}
    assert answered == {(name, "answered") for name in (*asked, "report_update") if name != "outcome"}
    assert ("outcome", "AUTHORITY_UNAVAILABLE") in metering.book.figures()[rows.AUTHORITY_S.name]
    assert {name for name in vars(Centre.__mro__[1]) if not name.startswith("_")} <= vars(TimedCentre).keys()
