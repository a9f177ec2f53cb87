"""One card on the contacts and in the field of a device, for activations: told once, worked with on its contacts."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support.modules import Desk, virtual
from support.readers import Card, Gate

from cardd.activation.counter import DeskCounter
from cardd.activation.facts import CardGone, CardIn, CardTrouble
from cardd.activation.ports import Notice
from cardd.base.secret import Secret
from cardd.crypto.sealing import Sm4GcmSealer
from cardd.desk.reception import Reception
from cardd.desk.stopped import StoppedKeys
from cardd.journal.store import Journal
from cardd.readers.insertion import Insertion

pytestmark = pytest.mark.asyncio

CARD, OTHER = "social-jia-3.0", "social-bing-2.0"
FRONT, ANTENNA = "front", "antenna"
JOB_S = 10.0


class Device:
    """A desk whose reader has contacts and an antenna, and what an engine is told of it."""

    def __init__(self, desk: Desk, reception: Reception) -> None:
        self.desk = desk
        self.reception = reception
        self.counter = DeskCounter(desk.readers, reception, desk.keys, StoppedKeys(), clock=desk.clock)
        self.counter.subscribe(self._take)
        self.told: list[str] = []

    def _take(self, notice: Notice) -> None:
        match notice:
            case CardIn():
                self.told.append(f"in {notice.insertion}")
            case CardGone():
                self.told.append(f"gone {notice.insertion}")
            case CardTrouble():
                self.told.append(f"{notice.reason}")

    async def lay(self, half: str, card: Card) -> Insertion:
        inserted = await self.desk.insert(half, card)
        await self.desk.until(lambda: self.reception.identity_of(inserted.id) is not None, "an identity")
        return inserted

    async def in_field(self, persona: str = CARD) -> Insertion:
        return await self.lay(ANTENNA, virtual(persona, "contactless"))

    async def on_contacts(self, persona: str = CARD) -> Insertion:
        return await self.lay(FRONT, virtual(persona))

    async def hears(self, *told: str) -> None:
        """Wait until this is what was told, and nothing besides."""
        await self.until(lambda: self.told == list(told), f"{told}, but {self.told}")

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        await self.desk.until(condition, what)
        await self.desk.drained()
        assert condition(), what

    def cards(self) -> list[str]:
        return [card.insertion for card in self.counter.cards("desk")]


@asynccontextmanager
async def device(directory: Path, *, devices: int = 1) -> AsyncIterator[Device]:
    desk = Desk(ANTENNA)
    for place, name in enumerate((FRONT, ANTENNA)):
        desk.backend.bays[name].usb = f"1-{place % devices}"
    async with desk:
        await desk.with_modules(["psam"])
        sealer = Sm4GcmSealer(Secret(b"0123456789abcdef"))
        journal = Journal.open(directory / "journal", sealer=sealer, clock=desk.clock, source="/cardd/test")
        reception = Reception(desk.readers, journal, desk.keys, clock=desk.clock)
        found = Device(desk, reception)
        reception.start()
        try:
            yield found
        finally:
            reception.close()
            await journal.close()


async def test_a_card_in_the_field_waits_for_what_lies_on_the_contacts_and_is_told_once(tmp_path: Path) -> None:
    async with device(tmp_path) as d:
        gate = Gate()
        d.desk.backend.bays[FRONT].on_transmit.append(gate)
        on_contacts = await d.desk.insert(FRONT, virtual(CARD))
        await d.in_field()
        assert (d.told, d.cards()) == ([], [])
        gate.open()
        await d.hears(f"in {on_contacts.id}")
        assert d.cards() == [on_contacts.id]


async def test_a_card_known_on_its_contacts_is_not_told_again_from_the_field(tmp_path: Path) -> None:
    async with device(tmp_path) as d:
        on_contacts = await d.on_contacts()
        await d.in_field()
        await d.hears(f"in {on_contacts.id}")
        assert d.cards() == [on_contacts.id]


async def test_work_that_was_begun_in_the_field_goes_on_on_the_contacts(tmp_path: Path) -> None:
    async with device(tmp_path) as d:
        far, near = virtual(CARD, "contactless"), virtual(CARD)
        in_field = await d.lay(ANTENNA, far)
        await d.hears(f"in {in_field.id}")
        on_contacts = await d.lay(FRONT, near)
        await d.hears(f"in {in_field.id}", f"in {on_contacts.id}")
        far.commands.clear()
        near.commands.clear()
        assert (await d.counter.read_social(in_field.id, timeout_s=JOB_S)).card.name == "测试甲"
        assert near.commands
        assert not far.commands


async def test_a_card_that_leaves_the_field_for_its_contacts_has_not_gone_until_it_leaves_those(tmp_path: Path) -> None:
    async with device(tmp_path) as d:
        in_field, on_contacts = await d.in_field(), await d.on_contacts()
        await d.desk.remove(ANTENNA)
        await d.hears(f"in {in_field.id}", f"in {on_contacts.id}")
        assert (await d.counter.read_social(in_field.id, timeout_s=JOB_S)).card.name == "测试甲"
        await d.desk.remove(FRONT)
        await d.hears(f"in {in_field.id}", f"in {on_contacts.id}", f"gone {on_contacts.id}", f"gone {in_field.id}")
        assert d.cards() == []


async def test_a_card_that_leaves_its_contacts_and_lies_in_the_field_is_there(tmp_path: Path) -> None:
    async with device(tmp_path) as d:
        on_contacts, in_field = await d.on_contacts(), await d.in_field()
        await d.desk.remove(FRONT)
        await d.hears(f"in {on_contacts.id}", f"gone {on_contacts.id}", f"in {in_field.id}")
        assert d.cards() == [in_field.id]
        assert (await d.counter.read_social(in_field.id, timeout_s=JOB_S)).card.name == "测试甲"


async def test_two_cards_in_one_device_are_two(tmp_path: Path) -> None:
    async with device(tmp_path) as d:
        gate = Gate()
        d.desk.backend.bays[FRONT].on_transmit.append(gate)
        on_contacts = await d.desk.insert(FRONT, virtual(OTHER))
        in_field = await d.in_field()
        gate.open()
        await d.hears(f"in {on_contacts.id}", f"in {in_field.id}")
        assert d.cards() == [on_contacts.id, in_field.id]


async def test_what_cannot_be_used_on_the_contacts_keeps_no_card_in_the_field_waiting(tmp_path: Path) -> None:
    async with device(tmp_path) as d:
        gate = Gate()
        d.desk.backend.bays[FRONT].on_transmit.append(gate)
        await d.desk.insert(FRONT, Card(b"\x3b\x00", lambda _: b"\x6a\x82"))
        in_field = await d.in_field()
        assert d.told == []
        gate.open()
        await d.hears("CARD_UNKNOWN", f"in {in_field.id}")
        assert d.cards() == [in_field.id]


async def test_a_card_that_leaves_the_contacts_unknown_keeps_no_card_in_the_field_waiting(tmp_path: Path) -> None:
    async with device(tmp_path) as d:
        gate = Gate()
        d.desk.backend.bays[FRONT].on_transmit.append(gate)
        on_contacts = await d.desk.insert(FRONT, virtual(CARD))
        in_field = await d.in_field()
        await d.desk.remove(FRONT)
        gate.open()
        await d.hears(f"gone {on_contacts.id}", f"in {in_field.id}")


async def test_a_card_that_leaves_the_field_while_it_waits_is_not_told_at_all(tmp_path: Path) -> None:
    async with device(tmp_path) as d:
        gate = Gate()
        d.desk.backend.bays[FRONT].on_transmit.append(gate)
        on_contacts = await d.desk.insert(FRONT, virtual(CARD))
        await d.in_field()
        await d.desk.remove(ANTENNA)
        gate.open()
        await d.hears(f"in {on_contacts.id}")


async def test_readers_of_two_devices_hold_two_cards_whatever_they_say(tmp_path: Path) -> None:
    async with device(tmp_path, devices=2) as d:
        in_field, on_contacts = await d.in_field(), await d.on_contacts()
        await d.hears(f"in {in_field.id}", f"in {on_contacts.id}")
        assert d.cards() == [on_contacts.id, in_field.id]
