"""Readers on the real pcscd: what is told of cards, and which card work reaches."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from support.waiting import comes_true

from cardd.base.clock import SystemClock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.iso7816.apdu import Command
from cardd.iso7816.channel import Channel
from cardd.pcsc.backend import PcscBackend
from cardd.readers.config import ReaderConfig, ReaderMatch, Role, StationConfig
from cardd.readers.facts import (
    CardInserted,
    CardRemoved,
    Cause,
    Fact,
    ReaderState,
    ReaderUnavailable,
    ServiceCameUp,
    ServiceWentDown,
)
from cardd.readers.insertion import Insertion
from cardd.readers.registry import Readers
from cardsim.lab import Lab

SELECT = Command(0x00, 0xA4, 0x00, 0x00, b"\x3f\x00")
WORK_S = 10.0
CAUSES_OF_AN_EXCHANGE = {Cause.REMOVED, Cause.EXCHANGED, Cause.TRANSPORT_ERROR}

pytestmark = pytest.mark.asyncio


class Plastic:
    """A card that answers 9000 and keeps what reached it. Two historical bytes tell it from others."""

    def __init__(self, name: bytes, think: Callable[[], None] = lambda: None) -> None:
        self.atr = b"\x3b\x02" + name
        self.commands: list[bytes] = []
        self._think = think

    def power_on(self) -> bytes:
        return self.atr

    def reset(self) -> bytes:
        return self.atr

    def power_off(self) -> None:
        """Forget nothing: there is nothing to forget."""

    def transmit(self, command: bytes) -> bytes:
        self.commands.append(command)
        self._think()
        return b"\x90\x00"


class Counter:
    """Readers on the laboratory's pcscd, with everything they told."""

    def __init__(self, lab: Lab, backend: PcscBackend) -> None:
        self.lab = lab
        self.first, self.second = lab.readers[:2]
        rules = (
            ReaderConfig(ReaderMatch(name=self.second), Role.SAM, "module"),
            ReaderConfig(ReaderMatch(name="*"), name="front"),
        )
        self.readers = Readers(backend, (StationConfig("desk", readers=rules),), clock=SystemClock(), boot=1)
        self.facts: list[Fact] = []

    async def until(self, condition: Callable[[], bool], seconds: float = 8.0) -> None:
        await comes_true(condition, self.facts, seconds)

    async def card(self, reader: str = "front", before: Insertion | None = None) -> Insertion:
        """Wait for an insertion other than the one before."""
        await self.until(lambda: self.readers.insertion_in(reader) not in {None, before})
        insertion = self.readers.insertion_in(reader)
        assert insertion is not None
        return insertion

    async def quiet(self, seconds: float) -> None:
        """Wait until nothing has been told for so long."""
        told, since = len(self.facts), time.monotonic()

        def is_quiet() -> bool:
            nonlocal told, since
            if len(self.facts) != told:
                told, since = len(self.facts), time.monotonic()
            return time.monotonic() - since >= seconds

        await self.until(is_quiet, 20.0)

    async def in_lab(self, act: Callable[..., object], *what: object) -> None:
        await asyncio.to_thread(act, *what)

    async def select(self, insertion: Insertion) -> int:
        return await self.readers.run(insertion.id, lambda channel, _: channel.send(SELECT).sw, timeout_s=WORK_S)

    @property
    def causes(self) -> list[Cause]:
        return [fact.cause for fact in self.facts if isinstance(fact, CardRemoved)]

    def check(self) -> None:
        """Every insertion is told once and ended once, one at a time in each reader."""
        lasting: dict[str, Insertion] = {}
        told: list[str] = []
        for fact in self.facts:
            if isinstance(fact, CardInserted):
                assert fact.insertion.reader not in lasting
                lasting[fact.insertion.reader] = fact.insertion
                told.append(fact.insertion.id)
            elif isinstance(fact, CardRemoved):
                assert lasting.pop(fact.insertion.reader) == fact.insertion
        assert len(told) == len(set(told))
        assert all(self.readers.insertion_in(reader) == insertion for reader, insertion in lasting.items())


@asynccontextmanager
async def counting(lab: Lab, backend: PcscBackend) -> AsyncIterator[Counter]:
    counter = Counter(lab, backend)
    counter.readers.subscribe(counter.facts.append)
    counter.readers.start()
    try:
        await counter.until(lambda: len(counter.readers.views()) == len(lab.readers))
        yield counter
        counter.check()
    finally:
        counter.readers.close()


@pytest.fixture(autouse=True)
def _emptied(readers: tuple[str, ...]) -> None:
    assert readers


async def test_a_card_is_inserted_worked_on_and_removed(lab: Lab, backend: PcscBackend) -> None:
    async with counting(lab, backend) as c:
        card = Plastic(b"\x01\x01")
        await c.in_lab(lab.insert, card, c.first)
        insertion = await c.card()
        assert (insertion.atr, insertion.at_start) == (card.atr, False)
        assert await c.select(insertion) == 0x9000
        await c.in_lab(lab.remove, c.first)
        await c.until(lambda: c.causes == [Cause.REMOVED])
        with pytest.raises(CarddError) as caught:
            await c.select(insertion)
        assert caught.value.reason is Reason.STALE_INSERTION


async def test_a_card_already_inside_is_told_as_that(lab: Lab, backend: PcscBackend) -> None:
    await asyncio.to_thread(lab.insert, Plastic(b"\x01\x02"), lab.readers[0])
    async with counting(lab, backend) as c:
        assert (await c.card()).at_start


async def test_work_without_a_pause_leaves_one_insertion(lab: Lab, backend: PcscBackend) -> None:
    async with counting(lab, backend) as c:
        await c.in_lab(lab.insert, Plastic(b"\x01\x03"), c.first)
        insertion = await c.card()
        for _ in range(30):
            assert await c.select(insertion) == 0x9000
        # unused, the card loses its power and is given it again
        await asyncio.sleep(1.5)
        assert await c.select(insertion) == 0x9000
        assert c.readers.views()[0].state is ReaderState.PRESENT
        assert c.causes == []


@pytest.mark.parametrize("gap", [0.0, 0.05])
async def test_cards_exchanged_in_the_middle_of_work_are_two_insertions(
    lab: Lab, backend: PcscBackend, gap: float
) -> None:
    async with counting(lab, backend) as c:
        first, second = Plastic(b"\x02\x01"), Plastic(b"\x02\x02")
        await c.in_lab(lab.insert, first, c.first)
        insertion = await c.card()

        def exchanged(channel: Channel, _insertion: Insertion) -> int:
            channel.send(SELECT)
            lab.swap(second, c.first, gap)
            for _ in range(3):
                channel.send(SELECT)
            return 1

        with pytest.raises(CarddError) as caught:
            await c.readers.run(insertion.id, exchanged, timeout_s=WORK_S)
        assert caught.value.reason is Reason.CARD_REMOVED
        assert second.commands == []
        assert c.causes[0] in CAUSES_OF_AN_EXCHANGE
        # pcscd may notice in two steps, or not at all; then it is the settling that brings the new card
        await c.card(before=insertion)
        await c.quiet(1.5)
        assert await c.select(await c.card()) == 0x9000
        assert second.commands == [SELECT.encode()]


@pytest.mark.parametrize("gap", [0.0, 0.05, 1.0])
async def test_work_never_reaches_a_card_that_took_the_place_of_its_own(
    lab: Lab, backend: PcscBackend, gap: float
) -> None:
    async with counting(lab, backend) as c:
        first, second = Plastic(b"\x03\x01"), Plastic(b"\x03\x02")
        await c.in_lab(lab.insert, first, c.first)
        insertion = await c.card()
        await c.in_lab(lab.swap, second, c.first, gap)
        try:
            await c.select(insertion)
        except CarddError as error:
            assert error.reason in {Reason.STALE_INSERTION, Reason.CARD_REMOVED}  # noqa: PT017
        assert second.commands == []
        if gap >= 1.0:
            assert (await c.card(before=insertion)).atr == second.atr


async def test_a_killed_service_ends_all_insertions_and_cards_inside_are_new_ones_when_it_returns(
    lab: Lab, backend: PcscBackend
) -> None:
    async with counting(lab, backend) as c:
        await c.in_lab(lab.insert, Plastic(b"\x04\x01"), c.first)
        insertion = await c.card()
        assert await c.select(insertion) == 0x9000
        await c.in_lab(lab.kill_pcscd)
        await c.until(lambda: Cause.SERVICE_DOWN in c.causes)
        await c.until(lambda: c.readers.views()[0].state is ReaderState.UNAVAILABLE)
        await c.in_lab(lab.restart_pcscd)
        again = await c.card(before=insertion)
        assert await c.select(again) == 0x9000
        assert sum(isinstance(fact, ServiceWentDown) for fact in c.facts) == 1
        assert sum(isinstance(fact, ServiceCameUp) for fact in c.facts) == 1


async def test_a_stopped_service_costs_its_deadline_and_is_usable_again_when_it_goes_on(
    lab: Lab, backend: PcscBackend
) -> None:
    async with counting(lab, backend) as c:
        await c.in_lab(lab.insert, Plastic(b"\x05\x01"), c.first)
        insertion = await c.card()
        lab.stop_pcscd()
        try:
            began = time.monotonic()
            with pytest.raises(CarddError) as caught:
                await c.readers.run(insertion.id, lambda ch, _: ch.send(SELECT).sw, timeout_s=0.5)
            assert caught.value.reason is Reason.TIMEOUT
            assert time.monotonic() - began < 1.0
            await c.until(lambda: any(isinstance(fact, ReaderUnavailable) for fact in c.facts), 3.0)
            assert c.readers.views()[0].state is ReaderState.UNAVAILABLE
        finally:
            lab.continue_pcscd()
        again = await c.card(before=insertion)
        assert await c.select(again) == 0x9000


async def test_closing_does_not_wait_for_a_stopped_service(lab: Lab, backend: PcscBackend) -> None:
    async with counting(lab, backend) as c:
        await c.in_lab(lab.insert, Plastic(b"\x06\x01"), c.first)
        insertion = await c.card()
        lab.stop_pcscd()
        try:
            task = asyncio.create_task(c.select(insertion))
            await asyncio.sleep(0.1)
            began = time.monotonic()
            c.readers.close()
            with pytest.raises(CarddError) as caught:
                await task
            assert caught.value.reason is Reason.READER_UNAVAILABLE
            assert time.monotonic() - began < 0.5
        finally:
            lab.continue_pcscd()


async def test_the_modules_handle_survives_idle_times_and_a_restart_of_the_service(
    lab: Lab, backend: PcscBackend
) -> None:
    async with counting(lab, backend) as c:
        await c.in_lab(lab.insert, Plastic(b"\x07\x01"), c.second)
        before = await c.card("module")

        async def call() -> bool:
            deadline = time.monotonic() + WORK_S
            return await asyncio.to_thread(
                c.readers.call_on,
                "module",
                lambda held: held.channel.expect(SELECT) == b"" and held.fresh,
                deadline=deadline,
            )

        assert await call() is True
        await asyncio.sleep(1.5)
        assert await call() is False
        await c.in_lab(lab.restart_pcscd)
        await c.card("module", before=before)
        assert await call() is True
