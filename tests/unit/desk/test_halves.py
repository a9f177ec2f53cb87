"""One card on the contacts and in the field of a device, for requests that name no reader."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support.modules import Desk, virtual
from support.readers import Gate

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.crypto.sealing import Sm4GcmSealer
from cardd.desk.reception import Reception
from cardd.desk.requests import CardRequests
from cardd.desk.stopped import StoppedKeys
from cardd.journal.store import Journal
from cardd.wire.cards import CardReadParams

pytestmark = pytest.mark.asyncio

KEY = Secret(b"0123456789abcdef")
ANTENNA = "antenna"


class Counter:
    """A desk with a reader for contacts and one for the antenna, of one device unless they are told apart."""

    def __init__(self, desk: Desk, reception: Reception, *, listens: bool) -> None:
        self.desk = desk
        self.reception = reception
        self.requests = CardRequests(
            desk.readers, desk.keys, StoppedKeys(lambda *_: None), clock=desk.clock, token_key=KEY
        )
        if listens:
            self.requests.listen(reception)

    async def lay(self, contact: str, field: str) -> None:
        """Put cards into both halves, the antenna's first, and wait until both are identified."""
        await self.lay_unidentified(field)
        inserted = await self.desk.insert("front", virtual(contact))
        await self.desk.until(lambda: self.reception.identity_of(inserted.id) is not None)

    async def lay_unidentified(self, field: str) -> None:
        inserted = await self.desk.insert(ANTENNA, virtual(field, "contactless"))
        await self.desk.until(lambda: self.reception.identity_of(inserted.id) is not None)

    def choose(self, wait_s: float | None = None) -> "asyncio.Task[str]":
        async def reader() -> str:
            return (await self.requests.choose(CardReadParams(wait_s=wait_s))).insertion.reader

        return asyncio.create_task(reader())

    async def refused(self) -> CarddError:
        with pytest.raises(CarddError) as caught:
            await self.choose()
        return caught.value


@asynccontextmanager
async def counter(directory: Path, *, devices: int = 1, listens: bool = True) -> AsyncIterator[Counter]:
    desk = Desk(ANTENNA)
    for place, name in enumerate(("front", ANTENNA)):
        desk.backend.bays[name].usb = f"1-{place % devices}"
    async with desk:
        journal = Journal.open(directory / "journal", sealer=Sm4GcmSealer(KEY), clock=desk.clock, source="/cardd/test")
        reception = Reception(desk.readers, journal, desk.keys, clock=desk.clock)
        reception.start()
        try:
            yield Counter(desk, reception, listens=listens)
        finally:
            reception.close()
            await journal.close()


async def test_a_card_seen_by_contacts_and_antenna_is_one_card_on_its_contacts(tmp_path: Path) -> None:
    async with counter(tmp_path) as it:
        await it.lay("social-jia-3.0", "social-jia-3.0")
        assert await it.choose() == "front"


async def test_two_cards_in_one_device_are_two(tmp_path: Path) -> None:
    async with counter(tmp_path) as it:
        await it.lay("social-bing-2.0", "social-jia-3.0")
        assert (await it.refused()).reason is Reason.INVALID


async def test_one_card_in_two_devices_is_none_that_can_be(tmp_path: Path) -> None:
    async with counter(tmp_path, devices=2) as it:
        await it.lay("social-jia-3.0", "social-jia-3.0")
        error = await it.refused()
        assert error.reason is Reason.INVALID
        assert "front" in error.detail
        assert ANTENNA in error.detail


async def test_as_long_as_a_half_is_not_identified_nobody_guesses_and_whoever_waits_is_told_then(
    tmp_path: Path,
) -> None:
    async with counter(tmp_path) as it:
        await it.lay_unidentified("social-jia-3.0")
        gate = Gate()
        it.desk.backend.bays["front"].on_transmit.append(gate)
        await it.desk.insert("front", virtual("social-jia-3.0"))
        patient = it.choose(wait_s=5)
        assert (await it.refused()).reason is Reason.INVALID
        gate.open()
        assert await patient == "front"


async def test_without_a_reception_nobody_knows_and_two_readers_with_cards_are_several(tmp_path: Path) -> None:
    async with counter(tmp_path, listens=False) as it:
        await it.lay("social-jia-3.0", "social-jia-3.0")
        assert (await it.refused()).reason is Reason.INVALID
