"""What the journal could not take: recorded once there is room, so that nobody is left with a wrong picture."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from support.json_schema import contract
from support.modules import Desk, virtual
from support.readers import Card

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.crypto.sealing import Sm4GcmSealer
from cardd.desk.reception import CardGone, CardIdentified, ModuleCame, Notice, Reception
from cardd.desk.untold import MOST, Untold
from cardd.journal.events import NewEvent
from cardd.journal.store import Journal

NOW = "2026-01-01T00:00:00.000000Z"


def event(kind: str, reader: str, insertion: str | None = None) -> NewEvent:
    return NewEvent(kind, reader, {}, insertion=insertion)


def kept(*events: NewEvent) -> Untold:
    untold = Untold()
    for one in events:
        untold.keep(untold.number(), one, NOW)
    return untold


def due(untold: Untold, **inside: str) -> list[tuple[str, str, str | None]]:
    cards = {reader: event("card.inserted", reader, insertion) for reader, insertion in inside.items()}
    return [(late.event.type, late.event.subject, late.event.insertion) for late in untold.due(cards)]


COMES, KNOWN, GOES = (event(f"card.{what}", "r", "1") for what in ("inserted", "identified", "removed"))


def test_all_of_it_is_told_in_its_order_and_says_when_it_was() -> None:
    untold = kept(COMES, KNOWN, GOES)
    assert [kind for kind, *_ in due(untold)] == ["card.inserted", "card.identified", "card.removed"]
    assert {late.event.data["happened"] for late in untold.due({})} == {NOW}


def test_what_was_recorded_is_forgotten_and_what_came_meanwhile_is_not() -> None:
    untold = kept(COMES)
    first = untold.due({"r": COMES})
    untold.keep(untold.number(), GOES, NOW)
    untold.done(first)
    assert due(untold) == [("card.removed", "r", "1")]


def test_a_card_whose_removal_is_on_record_is_not_said_to_come() -> None:
    untold = kept(COMES, KNOWN)
    untold.recorded(untold.number(), GOES)
    assert due(untold) == []


def test_a_removal_told_late_does_not_hide_the_card_that_came_after_it() -> None:
    untold = kept(GOES)
    untold.recorded(untold.number(), event("card.inserted", "r", "2"))
    assert due(untold, r="2") == [("card.removed", "r", "1"), ("card.inserted", "r", "2")]
    both = kept(GOES, event("card.inserted", "r", "2"))
    assert due(both, r="2") == [("card.removed", "r", "1"), ("card.inserted", "r", "2")]


def test_a_service_that_is_up_again_is_not_said_to_be_down() -> None:
    untold = kept(event("pcsc.down", "pcsc"), event("reader.detached", "r"))
    untold.recorded(untold.number(), event("pcsc.up", "pcsc"))
    assert due(untold) == [("reader.detached", "r", None)]


def test_of_very_much_only_what_makes_a_difference_is_kept() -> None:
    untold = kept(event("card.removed", "r", "0"))
    for number in range(1, 3 * MOST):
        for what in ("inserted", "identified", "removed"):
            untold.keep(untold.number(), event(f"card.{what}", "r", str(number)), NOW)
        untold.keep(untold.number(), event("pcsc.down", "pcsc"), NOW)
        untold.keep(untold.number(), event("pcsc.up", "pcsc"), NOW)
    untold.keep(untold.number(), event("card.inserted", "r", "last"), NOW)
    assert len(untold) <= MOST
    told = due(untold, r="last")
    assert told[0] == ("card.removed", "r", "0")
    assert told[-1] == ("card.inserted", "r", "last")
    assert [kind for kind, *_ in told if kind.startswith("pcsc")][-1] == "pcsc.up"


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
