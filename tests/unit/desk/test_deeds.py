"""Deeds: on record before they are done, done once, kept over a restart, and taken up where only a card knows."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from cardd.base.clock import SystemClock
from cardd.base.errors import CarddError
from cardd.base.masks import mask_number
from cardd.base.reasons import Reason
from cardd.base.secret import Personal, Secret
from cardd.crypto.sealing import Sm4GcmSealer
from cardd.desk import deed_rows as rows
from cardd.desk.deed_rows import Deed, Intent, Told
from cardd.desk.deeds import Deeds, Done, GiveUp, Intend
from cardd.desk.reading import Identity, Via
from cardd.journal.events import DeedRow, NewEvent
from cardd.journal.store import Journal
from cardd.readers.insertion import Insertion
from cardd.wire.cards import Kind
from cardd.wire.deeds import CardPinResult, CardWriteResult

pytestmark = pytest.mark.asyncio

VERIFY, WRITE = "card.pin.verify", "card.write"
METHODS: dict[str, GiveUp | None] = {VERIFY: lambda row: rows.event("pin.unknown", row, {}), WRITE: None}
DEED = Deed("user/till", VERIFY, "r1")
WRITING = Deed("user/till", WRITE, "w1", about={"DF04EF05": ["84"]}, mark="m1")
CARD = Insertion("1-1", "front", "desk", b"\x3b\x00")
CODE = "5101000000000000"
IDENTITY = Identity(
    Kind.SOCIAL_SECURITY, Via.CONTACT, identification_code=CODE, number=Personal("A12345678", mask_number)
)
TORN = CarddError(Reason.CARD_REMOVED)
WRONG = CarddError(Reason.PIN_WRONG, "once", status_word="63C5", tries_left=5)


class Doing:
    """A course that is counted and does what it is told. `after` is raised once its intent is on record."""

    def __init__(self, before: CarddError | None = None, after: CarddError | None = None) -> None:
        self.times = 0
        self.taken_up = 0
        self.before = before
        self.after = after
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.at_intent: Callable[[], None] = lambda: None

    async def do(self, intend: Intend) -> Done[CardPinResult]:
        self.times += 1
        self.begun.set()
        await self.may_end.wait()
        if self.before is not None:
            raise self.before
        intent = Intent("deed.intended", CARD, IDENTITY, {"files": "names"}, {"files": "values"})
        await asyncio.to_thread(intend, intent)
        self.at_intent()
        if self.after is not None:
            raise self.after
        return CardPinResult(insertion=CARD.id, done="verified", tries_left=self.times), Told("pin.verified", CARD)

    async def take_up(self, row: DeedRow) -> Done[CardPinResult]:
        self.taken_up += 1
        assert rows.is_on(row, IDENTITY)
        if self.after is not None:
            raise self.after
        told = Told("card.written", CARD) if row.open else None
        return CardPinResult(insertion=CARD.id, done="unknown", tries_left=self.taken_up), told

    def refused(self, row: DeedRow, error: CarddError) -> tuple[NewEvent, ...]:
        return (rows.refusal("pin.refused", row, error),)


@asynccontextmanager
async def journal(directory: Path) -> AsyncIterator[Journal]:
    sealer = Sm4GcmSealer(Secret(b"0123456789abcdef"))
    opened = Journal.open(directory / "journal", sealer=sealer, clock=SystemClock(), source="/cardd/test")
    try:
        yield opened
    finally:
        await opened.close()


async def once(at: Journal | Deeds, course: Doing, deed: Deed = DEED) -> CardPinResult:
    deeds = at if isinstance(at, Deeds) else Deeds(at, METHODS)
    return await deeds.once(deed, CardPinResult, course)


async def refusal(at: Journal | Deeds, course: Doing, deed: Deed = DEED) -> CarddError:
    with pytest.raises(CarddError) as caught:
        await once(at, course, deed)
    return caught.value


async def told(at: Journal) -> list[str]:
    return [event.type for event in await at.read(0, 100)]


# -- done once


async def test_a_deed_is_on_record_before_it_is_done_and_its_result_after_it_also_over_a_restart(
    tmp_path: Path,
) -> None:
    async with journal(tmp_path) as first:
        course, seen = Doing(), list[int]()
        course.at_intent = lambda: seen.append(first.last)
        result = await once(first, course)
        assert seen == [1]
        assert await once(first, course) == result
    async with journal(tmp_path) as second:
        assert await once(second, course) == result
        assert (course.times, course.taken_up) == (1, 0)
        assert await told(second) == ["deed.intended", "pin.verified"]
        assert await second.open_deeds() == []


async def test_events_name_the_deed_and_hide_whose_card_it_is(tmp_path: Path) -> None:
    async with journal(tmp_path) as opened:
        await once(opened, Doing())
        for event in await opened.read(0, 10):
            assert event.insertion == "1-1"
            assert event.subject == "front"
            assert event.sealed
            assert json.loads(event.data) == {
                "station": "desk",
                "client": "user/till",
                "request": "r1",
                "method": VERIFY,
                "number": mask_number("A12345678"),
                "files": "names",
            }


async def test_whose_card_it_is_and_what_was_to_be_written_lie_in_the_sealed_part(tmp_path: Path) -> None:
    async with journal(tmp_path) as opened:
        await refusal(opened, Doing(after=TORN), WRITING)
        (row,) = await opened.open_deeds()
        assert row.personal == {
            "mark": "m1",
            "identification_code": CODE,
            "number": "A12345678",
            "kept": {"files": "values"},
        }
        assert not any(text in json.dumps(row.data) for text in (CODE, "A12345678", "values", "m1"))


async def test_values_are_forgotten_once_nothing_is_left_to_find_out_and_what_stands_for_them_says_whose_it_is(
    tmp_path: Path,
) -> None:
    async with journal(tmp_path) as opened:
        await once(opened, Doing(), WRITING)
        row = await opened.deed("user/till", "w1")
        assert row is not None
        assert row.personal == {"mark": "m1", "identification_code": CODE, "number": "A12345678"}
        await once(opened, Doing())
        without_values = await opened.deed("user/till", "r1")
        assert without_values is not None
        assert without_values.personal == {}


async def test_the_cards_own_word_is_kept_with_all_it_said(tmp_path: Path) -> None:
    async with journal(tmp_path) as first:
        course = Doing(after=WRONG)
        await refusal(first, course)
    async with journal(tmp_path) as second:
        again = await refusal(second, course)
        assert (again.reason, again.detail, again.facts) == (WRONG.reason, WRONG.detail, WRONG.facts)
        assert (course.times, course.taken_up) == (1, 0)
        assert await told(second) == ["deed.intended", "pin.refused"]
        refused = json.loads((await second.read(1, 1))[0].data)
        assert (refused["reason"], refused["tries_left"]) == ("PIN_WRONG", 5)


@pytest.mark.parametrize("reason", [Reason.CARD_REMOVED, Reason.PIN_CANCELLED, Reason.PSAM_ABSENT])
async def test_what_failed_before_its_intent_is_done_when_it_is_asked_for_again(tmp_path: Path, reason: Reason) -> None:
    async with journal(tmp_path) as opened:
        assert (await refusal(opened, Doing(before=CarddError(reason)))).reason is reason
        assert await told(opened) == []
        assert (await once(opened, Doing())).done == "verified"


@pytest.mark.parametrize("reason", [Reason.PIN_CANCELLED, Reason.PIN_TIMEOUT, Reason.PIN_MISMATCH, Reason.PIN_LENGTH])
async def test_what_a_keypad_did_not_send_is_done_when_it_is_asked_for_again(tmp_path: Path, reason: Reason) -> None:
    async with journal(tmp_path) as opened:
        assert (await refusal(opened, Doing(after=CarddError(reason)))).reason is reason
        assert await told(opened) == ["deed.intended", "pin.refused"]
        assert (await once(opened, Doing())).done == "verified"


async def test_without_an_intent_on_record_nothing_is_done(tmp_path: Path) -> None:
    async with journal(tmp_path) as opened:
        course, done = Doing(), list[int]()
        course.at_intent = lambda: done.append(1)
        opened._writer._database._connection.execute("PRAGMA query_only = ON")
        assert (await refusal(opened, course)).reason is Reason.JOURNAL_UNAVAILABLE
        assert done == []
        opened._writer._database._connection.execute("PRAGMA query_only = OFF")
        assert (await once(opened, course)).done == "verified"
        assert course.taken_up == 0


async def test_an_intent_that_comes_after_the_deed_was_given_up_is_refused(tmp_path: Path) -> None:
    async with journal(tmp_path) as opened:
        late: list[Intend] = []

        class Late(Doing):
            async def do(self, intend: Intend) -> Done[CardPinResult]:
                late.append(intend)
                raise CarddError(Reason.TIMEOUT)

        assert (await refusal(opened, Late())).reason is Reason.TIMEOUT
        with pytest.raises(CarddError) as caught:
            await asyncio.to_thread(late[0], Intent("deed.intended", CARD, IDENTITY))
        assert caught.value.reason is Reason.TIMEOUT
        assert await told(opened) == []


async def test_a_deed_under_way_is_joined_and_not_begun_again(tmp_path: Path) -> None:
    async with journal(tmp_path) as opened:
        deeds, course = Deeds(opened, METHODS), Doing()
        course.may_end.clear()
        both = [asyncio.create_task(once(deeds, course)) for _ in range(2)]
        await course.begun.wait()
        both[0].cancel()
        course.may_end.set()
        assert (await both[1]).tries_left == 1
        assert course.times == 1


@pytest.mark.parametrize(
    "other",
    [
        Deed("user/till", "card.pin.change", "w1", WRITING.about, "m1"),
        Deed("user/till", WRITE, "w1", {"DF04EF05": ["85"]}, "m1"),
        Deed("user/till", WRITE, "w1", WRITING.about, "m2"),
    ],
    ids=["method", "items", "values"],
)
@pytest.mark.parametrize("before", [None, TORN], ids=["done", "open"])
async def test_a_request_that_was_another_deed_is_refused(
    tmp_path: Path, other: Deed, before: CarddError | None
) -> None:
    async with journal(tmp_path) as opened:
        if before is None:
            await once(opened, Doing(), WRITING)
        else:
            await refusal(opened, Doing(after=before), WRITING)
        error = await refusal(opened, Doing(), other)
        assert (error.reason, error.facts["path"]) == (Reason.INVALID, "$.request")


async def test_another_clients_request_of_that_name_is_its_own_deed(tmp_path: Path) -> None:
    async with journal(tmp_path) as opened:
        course = Doing()
        await once(opened, course)
        await once(opened, course, Deed("user/other", VERIFY, "r1"))
        assert course.times == 2


async def test_without_a_request_only_the_events_are_kept(tmp_path: Path) -> None:
    async with journal(tmp_path) as opened:
        course, nameless = Doing(), Deed("user/till", VERIFY, None)
        await once(opened, course, nameless)
        await refusal(opened, Doing(after=TORN), nameless)
        await once(opened, course, nameless)
        assert course.times == 2
        assert (await told(opened))[2:4] == ["deed.intended", "pin.unknown"]
        assert await opened.ask(lambda db: db._connection.execute("SELECT count(*) FROM deeds").fetchone()[0]) == 0


async def test_an_answer_of_another_type_is_never_given(tmp_path: Path) -> None:
    async with journal(tmp_path) as opened:
        with pytest.raises(CarddError) as caught:
            await Deeds(opened, METHODS).once(DEED, CardWriteResult, Doing())
        assert caught.value.reason is Reason.INVALID


# -- torn


async def test_a_torn_deed_that_nobody_can_find_out_about_is_told_so_and_never_done_again(tmp_path: Path) -> None:
    async with journal(tmp_path) as opened:
        course = Doing(after=TORN)
        assert (await refusal(opened, course)).reason is Reason.CARD_REMOVED
        assert await told(opened) == ["deed.intended", "pin.unknown"]
        assert await opened.open_deeds() == []
        course.after = None
        # asked each time: somebody may have used a try meanwhile
        assert [(await once(opened, course)).tries_left for _ in range(2)] == [1, 2]
        assert (course.times, course.taken_up) == (1, 2)
        assert len(await told(opened)) == 2


async def test_a_torn_deed_that_the_card_can_tell_of_stays_open_until_it_is_finished(tmp_path: Path) -> None:
    async with journal(tmp_path) as opened:
        course = Doing(after=TORN)
        await refusal(opened, course, WRITING)
        assert (await refusal(opened, course, WRITING)).reason is Reason.CARD_REMOVED
        assert [row.request for row in await opened.open_deeds()] == ["w1"]
        course.after = None
        first = await once(opened, course, WRITING)
        assert await once(opened, course, WRITING) == first
        assert (course.times, course.taken_up) == (1, 2)
        assert await opened.open_deeds() == []
        assert await told(opened) == ["deed.intended", "card.written"]


@pytest.mark.parametrize(
    ("deed", "events", "left"),
    [(DEED, ["deed.intended", "pin.unknown"], []), (WRITING, ["deed.intended"], ["w1"])],
    ids=["PIN", "write"],
)
async def test_a_card_whose_memory_failed_has_not_said_that_nothing_was_done(
    tmp_path: Path, deed: Deed, events: list[str], left: list[str]
) -> None:
    async with journal(tmp_path) as opened:
        course = Doing(after=CarddError(Reason.STATUS_WORD, status_word="6581"))
        await refusal(opened, course, deed)
        assert await told(opened) == events
        assert [row.request for row in await opened.open_deeds()] == left
        await refusal(opened, course, deed)
        assert [row.request for row in await opened.open_deeds()] == left
        course.after = None
        assert (await once(opened, course, deed)).done == "unknown"
        assert (course.times, course.taken_up) == (1, 2)


async def test_a_security_modules_status_word_is_not_the_cards(tmp_path: Path) -> None:
    wrong_module = CarddError(Reason.PSAM_KEY_MISSING, status_word="6A82")
    async with journal(tmp_path) as opened:
        course = Doing(before=wrong_module)
        await refusal(opened, course, WRITING)
        course.before, course.after = None, wrong_module
        await refusal(opened, course, WRITING)
        await refusal(opened, course, WRITING)
        assert [row.request for row in await opened.open_deeds()] == ["w1"]
        course.after = None
        assert (await once(opened, course, WRITING)).done == "unknown"
        assert (course.times, course.taken_up) == (2, 2)
        assert await told(opened) == ["deed.intended", "card.written"]


async def test_a_card_that_refuses_what_is_left_has_had_its_word(tmp_path: Path) -> None:
    async with journal(tmp_path) as opened:
        course = Doing(after=TORN)
        await refusal(opened, course, WRITING)
        course.after = CarddError(Reason.ACCESS_DENIED, status_word="6982")
        await refusal(opened, course, WRITING)
        course.after = None
        assert (await refusal(opened, course, WRITING)).reason is Reason.ACCESS_DENIED
        assert await told(opened) == ["deed.intended", "pin.refused"]


# -- after a restart


def reopen(directory: Path) -> None:
    """Have every deed open again, as a killed daemon leaves it."""
    with closing(sqlite3.connect(directory / "journal" / "journal.db")) as connection:
        connection.execute("UPDATE deeds SET open = 1")
        connection.commit()


async def test_a_restart_tells_of_what_nobody_can_find_out_and_keeps_the_rest_open(tmp_path: Path) -> None:
    async with journal(tmp_path) as first:
        await refusal(first, Doing(after=TORN))
        await refusal(first, Doing(after=TORN), WRITING)
    reopen(tmp_path)
    async with journal(tmp_path) as second:
        deeds, course = Deeds(second, METHODS), Doing()
        await deeds.recover()
        assert [row.request for row in deeds.open()] == ["w1"]
        assert [row.request for row in await second.open_deeds()] == ["w1"]
        assert (await told(second))[-1] == "pin.unknown"
        assert (await once(deeds, course)).done == "unknown"
        assert course.times == 0


async def test_an_open_deed_that_was_not_recovered_yet_is_not_done_again_either(tmp_path: Path) -> None:
    async with journal(tmp_path) as first:
        await refusal(first, Doing(after=TORN))
    reopen(tmp_path)
    async with journal(tmp_path) as second:
        course = Doing()
        assert (await once(second, course)).done == "unknown"
        assert course.times == 0
        assert (await told(second))[-1] == "pin.unknown"


async def test_another_parts_deeds_are_left_alone(tmp_path: Path) -> None:
    async with journal(tmp_path) as opened:
        other = DeedRow("user/till", "a1", "account.debit", open=True, data={})
        await opened.record(deed=other)
        deeds = Deeds(opened, METHODS)
        await deeds.recover()
        assert deeds.open() == []
        assert await opened.open_deeds() == [other]


# -- cards that come back


async def test_a_card_that_tells_closes_its_deed_and_whoever_asks_meanwhile_waits_for_that(tmp_path: Path) -> None:
    async with journal(tmp_path) as opened:
        deeds, course, may_tell = Deeds(opened, METHODS), Doing(after=TORN), asyncio.Event()
        await refusal(deeds, course, WRITING)
        (row,) = deeds.open()

        async def find(_: DeedRow) -> tuple[CardPinResult | None, Told]:
            await may_tell.wait()
            return CardPinResult(insertion="1-2", done="written"), Told("card.written", CARD)

        look = asyncio.create_task(deeds.look_into(row, find))
        await asyncio.sleep(0)
        asked = asyncio.create_task(once(deeds, course, WRITING))
        await asyncio.sleep(0)
        may_tell.set()
        assert await look is None
        assert (await asked).done == "written"
        assert (course.times, course.taken_up) == (1, 0)
        assert deeds.open() == []


async def test_a_card_on_which_it_is_not_done_says_so_and_leaves_the_deed_open(tmp_path: Path) -> None:
    async with journal(tmp_path) as opened:
        deeds = Deeds(opened, METHODS)
        await refusal(deeds, Doing(after=TORN), WRITING)

        async def find(_: DeedRow) -> tuple[CardPinResult | None, Told]:
            return None, Told("card.write_unfinished", CARD, {"missing": ["DF04EF05"]})

        assert await deeds.look_into(deeds.open()[0], find) is None
        assert await told(opened) == ["deed.intended", "card.write_unfinished"]
        assert len(deeds.open()) == 1


async def test_a_card_that_cannot_be_asked_leaves_everything_as_it_was(tmp_path: Path) -> None:
    async with journal(tmp_path) as opened:
        deeds = Deeds(opened, METHODS)
        await refusal(deeds, Doing(after=TORN), WRITING)

        async def find(_: DeedRow) -> tuple[CardPinResult | None, Told]:
            raise CarddError(Reason.PSAM_ABSENT)

        assert await deeds.look_into(deeds.open()[0], find) is Reason.PSAM_ABSENT
        assert len(deeds.open()) == 1
        assert await told(opened) == ["deed.intended"]
