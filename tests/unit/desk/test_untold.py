"""What the journal could not take: recorded once there is room, so that nobody is left with a wrong picture."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from support.json_schema import contract
from support.modules import Desk, virtual
from support.readers import Card, ManualClock

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.crypto.sealing import Sm4GcmSealer
from cardd.desk.reception import CardGone, CardIdentified, ModuleCame, Notice, Reception
from cardd.desk.recording import Recording
from cardd.desk.untold import MOST, Late, Untold
from cardd.journal.events import NewEvent
from cardd.journal.store import Journal


def event(kind: str, reader: str, insertion: str | None = None) -> NewEvent:
    return NewEvent(kind, reader, {}, insertion=insertion)


def late(one: NewEvent) -> Late:
    return Late(one, lambda: None)


def test_of_very_much_only_what_makes_a_difference_is_kept() -> None:
    untold = Untold()
    untold.keep([late(event("card.removed", "r", "0"))])
    for number in range(1, 3 * MOST):
        for what in ("inserted", "identified", "removed"):
            untold.keep([late(event(f"card.{what}", "r", str(number)))])
        untold.keep([late(event("pcsc.down", "pcsc")), late(event("pcsc.up", "pcsc"))])
    untold.keep([late(event("card.inserted", "r", "last"))])
    assert len(untold) <= MOST
    told = [one.event for one in untold.take()]
    assert told[0] == event("card.removed", "r", "0")
    assert told[-1] == event("card.inserted", "r", "last")
    assert [one.type for one in told if one.subject == "pcsc"][-1] == "pcsc.up"
    assert len(untold) == 0


# -- in its order


class Gate:
    """A journal that answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[tuple[NewEvent, ...], asyncio.Future[Any]]] = []

    def record(self, *events: NewEvent) -> "asyncio.Future[Any]":
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.asked.append((events, future))
        return future

    async def takes(self) -> list[NewEvent]:
        """Take what it was asked last."""
        events, future = self.asked.pop()
        future.set_result(tuple(range(len(events))))
        await asyncio.sleep(0)
        return [*events]

    async def refuses(self, reason: Reason = Reason.JOURNAL_FULL) -> list[NewEvent]:
        events, future = self.asked.pop()
        future.set_exception(CarddError(reason))
        await asyncio.sleep(0)
        return [*events]


class Book:
    """Events told one after the other, on such a journal."""

    def __init__(self) -> None:
        self.gate, self.clock = Gate(), ManualClock()
        self.recording = Recording(self.gate, clock=self.clock)  # type: ignore[arg-type] # a journal's `record`
        self.late: list[NewEvent] = []

    def tell(self, one: NewEvent) -> "asyncio.Future[Any]":
        return self.recording.record(one, lambda: self.late.append(one))

    def later(self) -> None:
        self.clock.advance(1.1)


def plain(events: Sequence[NewEvent]) -> list[tuple[str, str | None]]:
    return [(one.type, one.insertion) for one in events]


GOES, COMES, KNOWN = event("card.removed", "r", "1"), event("card.inserted", "r", "2"), event("x", "r", "2")
ORDER = plain([GOES, COMES, KNOWN])


@pytest.mark.asyncio
async def test_what_is_told_while_something_is_written_is_written_behind_it_in_one_go() -> None:
    book = Book()
    futures = [book.tell(one) for one in (GOES, COMES, KNOWN)]
    assert await book.gate.takes() == [GOES]
    assert await book.gate.takes() == [COMES, KNOWN]
    assert [await future for future in futures] == [(0,), (0,), (1,)]
    assert book.gate.asked == []
    assert book.late == []


@pytest.mark.asyncio
async def test_a_card_does_not_overtake_a_removal_for_which_there_was_no_room_and_is_told_once() -> None:
    book = Book()
    first, second = book.tell(GOES), book.tell(COMES)
    with capture_logs() as told:
        await book.gate.refuses()
    assert {(one["event"], one["log_level"]) for one in told} == {("reception.unrecorded", "error")}
    # there is room again by now, and something else comes
    third = book.tell(KNOWN)
    for future in (first, second, third):
        with pytest.raises(CarddError, match="JOURNAL_FULL"):
            await future
    assert book.gate.asked == []
    book.later()
    events = await book.gate.takes()
    assert plain(events) == ORDER
    assert all("happened" in one.data for one in events)
    assert book.late == [GOES, COMES, KNOWN]
    book.later()
    assert book.gate.asked == []


@pytest.mark.asyncio
@pytest.mark.parametrize("room", [True, False])
async def test_what_comes_while_it_is_tried_again_comes_behind(*, room: bool) -> None:
    book = Book()
    book.tell(GOES)
    await book.gate.refuses()
    book.later()
    coming = book.tell(COMES)
    assert len(book.gate.asked) == 1
    if room:
        assert plain(await book.gate.takes()) == ORDER[:1]
        assert await book.gate.takes() == [COMES]
        assert await coming == (0,)
        assert book.late == [GOES]
        return
    await book.gate.refuses()
    with pytest.raises(CarddError, match="JOURNAL_FULL"):
        await coming
    assert book.gate.asked == []
    book.later()
    assert plain(await book.gate.takes()) == ORDER[:2]
    assert book.late == [GOES, COMES]


@pytest.mark.asyncio
async def test_what_the_journal_can_never_take_is_in_the_way_of_nothing() -> None:
    book = Book()
    refused, coming = book.tell(GOES), book.tell(COMES)
    await book.gate.refuses(Reason.INVALID)
    with pytest.raises(CarddError, match="INVALID"):
        await refused
    assert await book.gate.takes() == [COMES]
    assert await coming == (0,)


@pytest.mark.asyncio
async def test_after_its_end_nothing_is_kept_for_later() -> None:
    book = Book()
    book.tell(GOES)
    book.recording.close()
    with capture_logs() as told:
        await book.gate.refuses(Reason.JOURNAL_UNAVAILABLE)
    # nor is it an error that nobody can mend
    assert [one["log_level"] for one in told] == ["info"]
    book.later()
    assert book.gate.asked == []


# -- at the reception


class Full:
    """A reception whose journal takes nothing while it is `full`."""

    def __init__(self, desk: Desk, journal: Journal) -> None:
        self.desk, self.journal, self.full = desk, journal, False
        record = journal.record

        def recording(*events: NewEvent, **more: Any) -> "asyncio.Future[Any]":
            if not self.full:
                return record(*events, **more)
            refused: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            refused.set_exception(CarddError(Reason.JOURNAL_FULL))
            return refused

        journal.record = recording  # type: ignore[method-assign] # a disk that is full
        self.reception = Reception(desk.readers, journal, desk.keys, clock=desk.clock)
        self.told: list[Notice] = []
        self.reception.subscribe(self.told.append)

    async def events(self) -> list[tuple[str, dict[str, Any]]]:
        return [(one.type, json.loads(one.data)) for one in await self.journal.read(0, 1000)]

    async def until(self, *types: str) -> list[tuple[str, dict[str, Any]]]:
        for _ in range(2000):
            events = await self.events()
            if {kind for kind, _ in events} >= set(types):
                return events
            await asyncio.sleep(0.001)
        raise AssertionError([kind for kind, _ in await self.events()])

    def heard(self, kind: type[Notice]) -> Sequence[Notice]:
        return [notice for notice in self.told if isinstance(notice, kind)]

    async def again(self) -> None:
        """Let there be room, and the next second pass."""
        self.full = False
        await self.desk.drained()
        self.desk.clock.advance(1.1)


@asynccontextmanager
async def full(directory: Path) -> AsyncIterator[Full]:
    async with Desk() as desk:
        journal = Journal.open(
            directory / "journal", sealer=Sm4GcmSealer(Secret(b"0123456789abcdef")), clock=desk.clock, source="/t"
        )
        opened = Full(desk, journal)
        opened.reception.start()
        try:
            yield opened
        finally:
            opened.full = False
            opened.reception.close()
            await journal.close()


@pytest.mark.asyncio
async def test_a_card_put_in_on_a_full_disk_is_told_and_known_when_there_is_room(tmp_path: Path) -> None:
    async with full(tmp_path) as at:
        at.full = True
        insertion = await at.desk.insert("front", virtual("p3-3.0-sm4"))
        for _ in range(3):
            await at.desk.drained()
            at.desk.clock.advance(1.1)
        assert at.heard(CardIdentified) == []
        assert at.reception.identity_of(insertion.id) is None
        await at.again()
        events = dict(await at.until("card.inserted", "card.identified"))
        assert "happened" in events["card.inserted"]
        told = contract().document["x-events"]
        assert [contract().faults(told[kind]["data"], data) for kind, data in events.items()] == [[]] * len(events)
        await at.desk.until(lambda: at.reception.identity_of(insertion.id) is not None, "an identity")
        assert len(at.heard(CardIdentified)) == 1


@pytest.mark.asyncio
async def test_a_card_taken_out_on_a_full_disk_is_told_to_be_gone_when_there_is_room(tmp_path: Path) -> None:
    async with full(tmp_path) as at:
        await at.desk.insert("front", Card(b"\x3b\x00"))
        await at.until("card.inserted")
        at.full = True
        await at.desk.remove("front")
        await at.desk.until(lambda: bool(at.heard(CardGone)), "a card gone")
        await at.again()
        await at.until("card.removed")
        # once, however late it is on record
        assert len(at.heard(CardGone)) == 1


@pytest.mark.asyncio
async def test_a_module_that_came_on_a_full_disk_is_heard_of_when_there_is_room(tmp_path: Path) -> None:
    async with full(tmp_path) as at:
        at.full = True
        await at.desk.with_modules(["psam"])
        await at.desk.drained()
        assert at.heard(ModuleCame) == []
        await at.again()
        await at.until("card.inserted")
        await at.desk.until(lambda: bool(at.heard(ModuleCame)), "a module")
