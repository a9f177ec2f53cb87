"""Every type of event, as the parts of the daemon really make it, against the schema of what it tells."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_args

import pytest
from support.activations import JIA, OLD_JIA, bench
from support.counter import Message
from support.exchanges import everything, told, whole_daemon
from support.json_schema import contract

from cardd.activation.effects import Purpose as EnginePurpose
from cardd.base.clock import SystemClock
from cardd.base.errors import CarddError
from cardd.base.masks import mask_number
from cardd.base.reasons import Reason
from cardd.base.secret import Personal, Secret
from cardd.crypto.sealing import Sm4GcmSealer
from cardd.desk import deed_rows as rows
from cardd.desk.events import event_of
from cardd.desk.prompts import Purpose
from cardd.desk.reading import Identity, Via
from cardd.desk.stop_record import StopRecord
from cardd.journal import evidence
from cardd.journal.delivery import Delivery
from cardd.journal.events import DeedRow, Json, NewEvent, StoredEvent
from cardd.journal.heads import Place
from cardd.journal.retiring import Span
from cardd.journal.store import Journal
from cardd.readers.config import Role
from cardd.readers.facts import Cause, ReaderUnavailable, ServiceCameUp, ServiceWentDown
from cardd.readers.insertion import Insertion
from cardd.rules.keys import KeyName
from cardd.wire import event_data, event_types
from cardd.wire.activation import State
from cardd.wire.cards import Kind

KEY = Sm4GcmSealer(Secret(b"0123456789ABCDEF"))
INSERTION = Insertion("1-1", "front", "desk", b"\x3b\x00")
IDENTITY = Identity(
    Kind.SOCIAL_SECURITY, Via.CONTACT, identification_code="D" * 32, number=Personal("T0000001X", mask_number)
)


async def ordinary_day(directory: Path) -> list[Message]:
    async with whole_daemon(directory) as desk:
        await everything(desk)
        return await told(directory / "cardd.sock", personal=True, purpose="test")


async def bad_day(directory: Path) -> list[Message]:
    """Cards that are refused, wrong PINs, a reader that is unplugged, and a daemon that ends in the middle."""
    async with whole_daemon(directory) as desk:
        await desk.call("events.subscribe")
        await desk.insert("p4-bad-blocked-card")
        await desk.until("card.rejected")
        await desk.swap("p3-3.0-sm4")
        await desk.until("card.identified")
        desk.pin = "999999"
        for attempt in range(6):
            await desk.call("card.pin.verify", request=f"v-{attempt}")
        await desk.remove()
        await desk.call("activation.start", route="hospital", visit={"kind": "outpatient", "number": "OP-17"})
        await desk.insert("social-fake-3.0")
        await desk.until("activation.refused")
        await desk.remove()
        await desk.call("activation.start", route="pharmacy")
        await desk.unplug()
    async with whole_daemon(directory, grant="observe") as desk:
        await desk.call("card.read")
        return await told(directory / "cardd.sock")


async def activations(directory: Path) -> list[Message]:
    """An activation whose centre falls silent, and one whose time is up."""
    events: list[StoredEvent] = []
    async with bench(directory / "silent", cut=["outcome"]) as b:
        b.line.mute.add("activate")
        activation = await b.start()
        old = b.counter.put_old(OLD_JIA)
        await b.until(activation, State.WAITING_SOCIAL_CARD)
        b.counter.pull(old)
        b.counter.put_social(JIA)
        await b.until(activation, State.IN_DOUBT, "in_doubt")
        events += b.events
    async with bench(directory / "late") as b:
        activation = await b.start()
        b.clock.advance(121)
        await b.until(activation, State.EXPIRED)
        events += b.events
    return [_delivered(event) for event in events]


async def made_up(directory: Path) -> list[Message]:
    """What takes a torn card, a hung driver or years to happen, made by the functions that make it then."""
    journal = Journal.open(directory / "journal", sealer=KEY, clock=SystemClock(), source="/cardd/test")
    try:
        await journal.record(*deeds(), *trouble())
        await StopRecord(journal)._stop("desk", KeyName.IRK)
        return [_delivered(event) for event in await journal.read(0, 1000)]
    finally:
        await journal.close()


def deeds() -> Iterator[NewEvent]:
    error = CarddError(Reason.STATUS_WORD, "6581")
    files: Mapping[str, Json] = {"files": {"DF04EF05": ["84"]}}
    write, block = intended("card.write", files), intended("card.block", {"what": "DF04"})
    yield rows.refusal("card.write_refused", write, error)
    yield rows.refusal("card.block_refused", block, error)
    yield rows.refusal("account.starting_day_refused", intended("account.set_starting_day", {"day": "0701"}), error)
    yield from rows.pin_refusal(write, CarddError(Reason.PIN_LOCKED))
    yield rows.event("pin.unknown", intended("card.pin.verify", {}), {})
    unfinished = rows.Told("card.write_unfinished", INSERTION, {"missing": ["DF04EF05"], "unchecked": []})
    yield rows.told(write, unfinished)


def intended(method: str, shown: Mapping[str, Json]) -> DeedRow:
    return rows.intended(rows.Deed("till", method, "r-1"), rows.Intent("", INSERTION, IDENTITY, shown))


def trouble() -> Iterator[NewEvent]:
    for fact in (
        ServiceWentDown(Reason.PCSC_UNAVAILABLE, "no socket"),
        ServiceCameUp(),
        ReaderUnavailable("front", "a call hangs"),
        ReaderUnavailable("front", "in use", Reason.READER_IN_USE, "other (1)"),
    ):
        yield event_of(fact, lambda _: "desk")
    yield evidence._evicted(Span(1, 2, "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", Place("s", 2, "00")))


def _delivered(event: StoredEvent) -> Message:
    delivered: Message = json.loads(Delivery(KEY, "/cardd/test").event(event, personal=True))
    return delivered


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[Message]:
    async def all_of_it() -> list[Message]:
        happened: list[Message] = []
        for part in (ordinary_day, bad_day, activations, made_up):
            directory = tmp_path_factory.mktemp("e")
            (directory / "silent").mkdir()
            (directory / "late").mkdir()
            happened += await part(directory)
        return happened

    return asyncio.run(all_of_it())


def test_every_event_follows_the_schema_of_its_type(events: list[Message]) -> None:
    assert [fault for event in events for fault in contract().faults_of_event(event)] == []


def test_every_type_of_event_was_among_them(events: list[Message]) -> None:
    kinds = {event["type"].removeprefix("org.cardd.").removesuffix(".v1") for event in events}
    assert kinds == event_types.EVENTS.keys()


def test_codes_are_those_of_the_parts_that_tell_them() -> None:
    assert set(get_args(event_data.Role)) == set(Role)
    assert set(get_args(event_data.Cause)) == set(Cause)
    assert set(get_args(event_data.Via)) == set(Via)
    assert set(get_args(event_data.Purpose)) == set(Purpose) | set(EnginePurpose)
