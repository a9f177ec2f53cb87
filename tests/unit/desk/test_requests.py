import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from support.modules import Desk, virtual

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.base.texts import render
from cardd.desk.requests import CardRequests
from cardd.desk.stopped import StoppedKeys
from cardd.iso7816.device import ServiceDown
from cardd.wire.cards import CardReadParams, CardReadResult, Kind

pytestmark = pytest.mark.asyncio

HOLDER = "an-activation"


@asynccontextmanager
async def requests() -> AsyncIterator[tuple[Desk, CardRequests]]:
    async with Desk() as desk:
        stopped = StoppedKeys(lambda *_: None)
        yield (
            desk,
            CardRequests(desk.readers, desk.keys, stopped, clock=desk.clock, token_key=Secret(b"0123456789abcdef")),
        )


def asked(asking: CardRequests, wait_s: float | None = None) -> "asyncio.Task[CardReadResult]":
    return asyncio.create_task(asking.read(CardReadParams(reader="front", wait_s=wait_s), personal=False))


async def reason(reading: "asyncio.Task[CardReadResult]") -> Reason:
    with pytest.raises(CarddError) as caught:
        await reading
    return caught.value.reason


async def test_a_card_in_a_held_station_is_refused_at_once_and_names_the_holder() -> None:
    async with requests() as (desk, asking):
        await desk.insert("front", virtual("old-jia"))
        desk.readers.reserve("desk", HOLDER)
        with pytest.raises(CarddError) as caught:
            await asked(asking)
        assert caught.value.reason is Reason.BUSY
        assert caught.value.facts["activation"] == HOLDER


async def test_whoever_waits_reads_as_soon_as_the_station_is_let_go() -> None:
    async with requests() as (desk, asking):
        card = virtual("old-jia")
        await desk.insert("front", card)
        desk.readers.reserve("desk", HOLDER)
        reading = asked(asking, wait_s=5)
        desk.readers.release("desk", "somebody else")
        await asyncio.sleep(0.01)
        assert not reading.done()
        assert card.commands == []
        desk.readers.release("desk", HOLDER)
        assert (await reading).kind is Kind.MEDICAL_INSURANCE


async def test_a_station_that_is_not_let_go_in_time_is_busy() -> None:
    async with requests() as (desk, asking):
        await desk.insert("front", virtual("old-jia"))
        desk.readers.reserve("desk", HOLDER)
        reading = asked(asking, wait_s=5)
        await asyncio.sleep(0.01)
        desk.clock.advance(5)
        assert await reason(reading) is Reason.BUSY


async def test_whoever_waits_for_a_card_reads_the_one_that_comes() -> None:
    async with requests() as (desk, asking):
        reading = asked(asking, wait_s=5)
        await asyncio.sleep(0.01)
        insertion = await desk.insert("front", virtual("old-jia"))
        assert (await reading).insertion == insertion.id


async def test_no_card_in_time_is_no_card() -> None:
    async with requests() as (desk, asking):
        reading = asked(asking, wait_s=5)
        await asyncio.sleep(0.01)
        desk.clock.advance(5)
        assert await reason(reading) is Reason.NO_CARD


async def test_a_security_module_is_not_read_by_whatever_name_it_is_called() -> None:
    async with requests() as (desk, asking):
        (module,) = await desk.with_modules(["psam"])
        insertion = desk.readers.insertion_in("sam")
        assert insertion is not None
        for params in (CardReadParams(reader="sam"), CardReadParams(insertion=insertion.id)):
            assert await reason(asyncio.create_task(asking.read(params, personal=False))) is Reason.NOT_FOUND
        assert module.commands == []


async def test_while_the_service_is_down_it_is_named_and_not_the_reader() -> None:
    async with requests() as (desk, asking):
        desk.backend.tell(ServiceDown(Reason.PCSC_UNAVAILABLE, "no socket"))
        await desk.drained()
        assert await reason(asked(asking)) is Reason.PCSC_UNAVAILABLE


async def test_why_the_service_is_down_is_told_in_the_words_for_it() -> None:
    async with requests() as (desk, asking):
        desk.backend.tell(ServiceDown(Reason.PCSC_UNAVAILABLE, "two versions", "pcsc_other_version"))
        await desk.drained()
        with pytest.raises(CarddError) as caught:
            await asked(asking)
        assert caught.value.data()["text"] == render("pcsc_other_version")
