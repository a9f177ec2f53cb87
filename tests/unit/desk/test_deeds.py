"""Deeds: done once, kept over a restart, and forgotten where nothing was done."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cardd.base.clock import SystemClock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.crypto.sealing import Sm4GcmSealer
from cardd.desk.deeds import Deed, Deeds
from cardd.journal.events import NewEvent
from cardd.journal.store import Journal
from cardd.wire.deeds import CardPinResult, CardWriteResult

pytestmark = pytest.mark.asyncio

DEED = Deed("user/till", "card.pin.verify", "r1")
EVENT = NewEvent("pin.changed", "front", {})
LOCKED = NewEvent("pin.locked", "front", {})


class Doing:
    """Work that is counted and does what it is told."""

    def __init__(self, error: CarddError | None = None) -> None:
        self.times = 0
        self.begun = asyncio.Event()
        self.error = error
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def __call__(self) -> tuple[CardPinResult, tuple[NewEvent, ...]]:
        self.times += 1
        self.begun.set()
        await self.may_end.wait()
        if self.error is not None:
            raise self.error
        return CardPinResult(insertion="1-1", done="verified", tries_left=self.times), (EVENT,)


@asynccontextmanager
async def journal(directory: Path) -> AsyncIterator[Journal]:
    sealer = Sm4GcmSealer(Secret(b"0123456789abcdef"))
    opened = Journal.open(directory / "journal", sealer=sealer, clock=SystemClock(), source="/cardd/test")
    try:
        yield opened
    finally:
        await opened.close()


def told(error: CarddError) -> tuple[NewEvent, ...]:
    return (LOCKED,) if error.reason is Reason.PIN_LOCKED else ()


async def once(deeds: Deeds, work: Doing, deed: Deed = DEED) -> CardPinResult:
    return await deeds.once(deed, CardPinResult, work, told)


async def refusal(deeds: Deeds, work: Doing, deed: Deed = DEED) -> CarddError:
    with pytest.raises(CarddError) as caught:
        await once(deeds, work, deed)
    return caught.value


async def test_a_result_is_kept_with_its_event_also_over_a_restart(tmp_path: Path) -> None:
    async with journal(tmp_path) as first:
        work = Doing()
        result = await once(Deeds(first), work)
        assert await once(Deeds(first), work) == result
    async with journal(tmp_path) as second:
        assert await once(Deeds(second), work) == result
        assert work.times == 1
        assert [event.type for event in await second.read(0, 10)] == ["pin.changed"]


async def test_the_cards_own_word_is_kept_with_all_it_said(tmp_path: Path) -> None:
    error = CarddError(Reason.PIN_LOCKED, "at the last", status_word="63C0", tries_left=0)
    async with journal(tmp_path) as first:
        work = Doing(error)
        await refusal(Deeds(first), work)
    async with journal(tmp_path) as second:
        again = await refusal(Deeds(second), work)
        assert (again.reason, again.detail, again.facts) == (error.reason, error.detail, error.facts)
        assert work.times == 1
        assert [event.type for event in await second.read(0, 10)] == ["pin.locked"]


@pytest.mark.parametrize("reason", [Reason.CARD_REMOVED, Reason.PIN_CANCELLED, Reason.PSAM_ABSENT])
async def test_what_failed_for_another_reason_is_done_when_it_is_asked_for_again(
    tmp_path: Path, reason: Reason
) -> None:
    async with journal(tmp_path) as opened:
        deeds = Deeds(opened)
        assert (await refusal(deeds, Doing(CarddError(reason)))).reason is reason
        assert (await once(deeds, Doing())).done == "verified"


async def test_a_deed_under_way_is_joined_and_not_begun_again(tmp_path: Path) -> None:
    async with journal(tmp_path) as opened:
        deeds, work = Deeds(opened), Doing()
        work.may_end.clear()
        both = [asyncio.create_task(once(deeds, work)) for _ in range(2)]
        await work.begun.wait()
        both[0].cancel()
        work.may_end.set()
        assert (await both[1]).tries_left == 1
        assert work.times == 1


@pytest.mark.parametrize(
    "other",
    [Deed("user/till", "card.pin.change", "r1"), Deed("user/till", "card.pin.verify", "r1", about={"file": ["01"]})],
)
async def test_a_request_that_was_another_deed_is_refused(tmp_path: Path, other: Deed) -> None:
    async with journal(tmp_path) as opened:
        await once(Deeds(opened), Doing())
        error = await refusal(Deeds(opened), Doing(), other)
        assert (error.reason, error.facts["path"]) == (Reason.INVALID, "$.request")


async def test_another_clients_request_of_that_name_is_its_own_deed(tmp_path: Path) -> None:
    async with journal(tmp_path) as opened:
        deeds, work = Deeds(opened), Doing()
        await once(deeds, work)
        await once(deeds, work, Deed("user/other", "card.pin.verify", "r1"))
        assert work.times == 2


async def test_without_a_request_nothing_is_kept(tmp_path: Path) -> None:
    async with journal(tmp_path) as opened:
        deeds, work = Deeds(opened), Doing()
        nameless = Deed("user/till", "card.pin.verify", None)
        await once(deeds, work, nameless)
        await once(deeds, work, nameless)
        assert work.times == 2
        assert len(await opened.read(0, 10)) == 2


async def test_an_answer_of_another_type_is_never_given(tmp_path: Path) -> None:
    async with journal(tmp_path) as opened:
        deeds, work = Deeds(opened), Doing()
        with pytest.raises(CarddError) as caught:
            await deeds.once(DEED, CardWriteResult, work, told)  # type: ignore[arg-type]
        assert caught.value.reason is Reason.INVALID
