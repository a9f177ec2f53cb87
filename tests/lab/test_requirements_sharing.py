"""R12 to R16 of docs/reliability.md: cards shared with another program, a process of its own, on a real pcscd."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from itertools import product
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.clerk import Clerk, counter
from support.moments import READ_RECORD, VERIFY, Recorded, of
from support.neighbour import FINE, INVALID_HANDLE, RESET_CARD, SHARING_VIOLATION, NextDoor, build
from support.shared_counter import clerk, opened, read, reader
from support.waiting import comes_true, until

from cardd.base.clock import SystemClock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.iso7816.apdu import Command
from cardd.iso7816.channel import Channel
from cardd.pcsc.backend import PcscBackend
from cardd.pcsc.scard import Disposition, Scard
from cardd.readers.config import ReaderConfig, ReaderMatch, Role, StationConfig
from cardd.readers.facts import Fact, ReaderState, ReaderUnavailable
from cardd.readers.insertion import Insertion
from cardd.readers.registry import Readers
from cardsim.lab import Lab

__all__ = ["clerk", "opened"]

CARD = "social-jia-3.0"
WORK_S = 10.0
LEISURE_S = 0.4
"""Longer than libpcsclite waits between two attempts to begin a transaction."""

SELECT = 0xA4
NOTHING_SELECTED = "6a82"
SELECT_SOCIAL = Command(0x00, 0xA4, 0x04, 0x00, bytes.fromhex("7378312E73682EC9E7BBE1B1A3D5CF"))
SELECT_ROOT = "00A4000002 3F00".replace(" ", "")
VERIFY_PIN = Command(0x00, 0x20, 0x00, 0x00, bytes.fromhex("123456"))
READ_CODE = Command(0x00, 0xB2, 0x01, 0x2C, le=256)


class Leisurely(Scard):
    """PC/SC on a machine with so much else to do that everybody else's turn comes before a card is let go of."""

    def disconnect(self, handle: int, disposition: Disposition) -> None:
        time.sleep(LEISURE_S)
        super().disconnect(handle, disposition)


@asynccontextmanager
async def readers_of(
    lab: Lab, backend: PcscBackend, *, exclusive: bool, stations: tuple[StationConfig, ...] = ()
) -> AsyncIterator[Readers]:
    """All readers of the laboratory, as counter readers where nothing else is said, in this process."""
    readers = Readers(backend, stations, clock=SystemClock(), boot=1, exclusive=exclusive)
    readers.start()
    try:
        await comes_true(lambda: len(readers.views()) == len(lab.readers), "all readers")
        yield readers
    finally:
        readers.close()


async def inserted(readers: Readers, name: str, before: Insertion | None = None) -> Insertion:
    await comes_true(lambda: readers.insertion_in(name) not in {None, before}, "an insertion")
    insertion = readers.insertion_in(name)
    assert insertion is not None
    return insertion


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The other program."""
    return build(tmp_path_factory.mktemp("neighbour"))


def test_the_other_program_outlives_what_is_refused_to_it(lab: Lab, program: Path) -> None:
    with NextDoor(program, lab.pcscd_socket) as other:
        assert other.exclusive("no such reader") != FINE
        assert {other.begin(), other.end(), other.reset(), other.let_go(), other.send("00")[0]} == {INVALID_HANDLE}
        assert other.lives


@pytest.mark.asyncio
async def test_r12_a_sharing_violation_waits_a_bounded_time_and_leaves_the_other_program_alone(
    lab: Lab, readers: tuple[str, ...], backend: PcscBackend, program: Path
) -> None:
    with NextDoor(program, lab.pcscd_socket) as other:
        async with readers_of(lab, backend, exclusive=True) as desk:
            await asyncio.to_thread(lab.insert, Recorded(CARD), 0)
            insertion = await inserted(desk, readers[0])
            await comes_true(lambda: other.exclusive(readers[0]) == FINE, "the card for another program")

            def work(channel: Channel, _: Insertion) -> int:
                return channel.send(SELECT_SOCIAL).sw

            began = time.monotonic()
            with pytest.raises(CarddError) as caught:
                await desk.run(insertion.id, work, timeout_s=1.0)
            assert caught.value.reason is Reason.READER_IN_USE
            assert 0.8 < time.monotonic() - began < 1.6
            assert "program" in caught.value.detail
            # it lives, and what it holds is still its own
            assert other.lives
            assert other.send(SELECT_ROOT)[0] == FINE
            waiting = asyncio.create_task(desk.run(insertion.id, work, timeout_s=WORK_S))
            await asyncio.sleep(0.3)
            assert other.let_go() == FINE
            assert await waiting == 0x9000


@pytest.mark.asyncio
@pytest.mark.parametrize("exclusive", [True, False], ids=["exclusive", "shared"])
async def test_r12_a_transaction_that_outlasts_a_deadline_is_told_as_the_other_programs(
    lab: Lab, readers: tuple[str, ...], backend: PcscBackend, program: Path, *, exclusive: bool
) -> None:
    def work(channel: Channel, _: Insertion) -> int:
        return channel.send(SELECT_SOCIAL).sw

    with NextDoor(program, lab.pcscd_socket) as other:
        async with readers_of(lab, backend, exclusive=exclusive) as desk:
            facts: list[Fact] = []
            desk.subscribe(facts.append)
            await asyncio.to_thread(lab.insert, Recorded(CARD), 0)
            insertion = await inserted(desk, readers[0])
            assert other.shared(readers[0]) == FINE
            assert other.begin() == FINE
            first, behind = await asyncio.gather(
                *(desk.run(insertion.id, work, timeout_s=seconds) for seconds in (0.5, 5.0)), return_exceptions=True
            )
            for error in (first, behind):
                assert isinstance(error, CarddError)
                assert error.reason is Reason.READER_IN_USE
                assert f"({other.pid})" in error.detail
            await comes_true(lambda: any(isinstance(fact, ReaderUnavailable) for fact in facts), facts)
            told = next(fact for fact in facts if isinstance(fact, ReaderUnavailable))
            assert told.reason is Reason.READER_IN_USE
            assert f"({other.pid})" in told.programs
            assert other.end() == FINE
            assert other.let_go() == FINE
            again = await inserted(desk, readers[0])
            assert await desk.run(again.id, work, timeout_s=WORK_S) == 0x9000


_WAYS_TO_END: Mapping[str, Callable[[NextDoor], object]] = {
    "ends": NextDoor.end,
    "lets go": NextDoor.let_go,
    "resets": lambda other: (other.reset(), other.let_go()),
    "dies": NextDoor.die,
}
_MODULE = ReaderConfig(ReaderMatch(name="*"), Role.SAM, "module")


_BY_DAY = {
    ("ends", "exclusive", Role.COUNTER),
    ("resets", "shared", Role.COUNTER),
    ("dies", "shared", Role.SAM),
    ("lets go", "exclusive", Role.SAM),
}
_ENDS = [
    pytest.param(*end, marks=[] if end in _BY_DAY else [pytest.mark.night])
    for end in product(_WAYS_TO_END, ("exclusive", "shared"), (Role.COUNTER, Role.SAM))
]


@pytest.mark.asyncio
@pytest.mark.parametrize(("way", "mode", "role"), _ENDS)
async def test_r12_however_a_long_transaction_ends_the_reader_comes_back_by_itself(
    lab: Lab, readers: tuple[str, ...], backend: PcscBackend, program: Path, way: str, mode: str, role: Role
) -> None:
    """Nobody clears the station, and nobody takes the card out: the end of the transaction is all there is."""
    name, exclusive = readers[0], mode == "exclusive"
    stations = (StationConfig("s", readers=(replace(_MODULE, role=role),)),)

    async def select(insertion: Insertion, seconds: float) -> int:
        if role is Role.COUNTER:
            return await desk.run(insertion.id, lambda channel, _: channel.send(SELECT_SOCIAL).sw, timeout_s=seconds)
        deadline = time.monotonic() + seconds
        return await asyncio.to_thread(
            desk.call_on, "module", lambda held: held.channel.send(SELECT_SOCIAL).sw, deadline=deadline
        )

    with NextDoor(program, lab.pcscd_socket) as other:
        async with readers_of(lab, backend, exclusive=exclusive, stations=stations) as desk:
            await asyncio.to_thread(lab.insert, Recorded(CARD), 0)
            insertion = await inserted(desk, "module")
            if not exclusive:
                # a module's handle stays open, and lies idle when the other program comes
                assert await select(insertion, WORK_S) == 0x9000
            assert other.shared(name) == FINE
            assert other.begin() == FINE
            with pytest.raises(CarddError):
                await select(insertion, 0.5)
            await comes_true(lambda: desk.insertion_in("module") is None, "the insertion's end")
            shown = {view.pcsc_name: view for view in desk.views()}
            assert shown[name].state is ReaderState.IN_USE
            # longer than anything here waits for anything
            await asyncio.sleep(1.0)
            assert desk.insertion_in("module") is None
            _WAYS_TO_END[way](other)
            again = await inserted(desk, "module", before=insertion)
            if way == "ends":
                # it is still connected, and an exclusive opening waits for that too
                assert other.let_go() == FINE
            assert await select(again, WORK_S) == 0x9000
            assert {view.pcsc_name: view for view in desk.views()}[name].state is ReaderState.PRESENT


def test_r13_nothing_is_held_while_nobody_works_on_a_card(clerk: Clerk, program: Path) -> None:
    with NextDoor(program, clerk.rig.lab.pcscd_socket) as other:
        clerk.insert("social-bing-2.0")
        clerk.wait("card.identified")
        name = clerk.rig.lab.readers[0]
        for _ in range(3):
            # whoever comes may have it for himself at once
            until(lambda: other.exclusive(name) == FINE, "the card for another program", 1.0)
            assert other.let_go() == FINE
            assert read(clerk).generation == "2.0"
        until(lambda: other.shared(name) == FINE, "the card once more", 1.0)
        began = time.monotonic()
        assert other.begin() == FINE
        assert time.monotonic() - began < 0.5
        assert other.end() == FINE


@pytest.mark.asyncio
async def test_r14_in_shared_mode_each_job_begins_with_nothing_assumed(
    lab: Lab, readers: tuple[str, ...], backend: PcscBackend, program: Path
) -> None:
    card = Recorded(CARD)

    def work(channel: Channel, _: Insertion) -> tuple[int, bytes]:
        """Select and read, and know that the selection holds in between."""
        selected = channel.send(SELECT_SOCIAL).sw
        return selected, channel.expect(READ_CODE)

    with NextDoor(program, lab.pcscd_socket) as other:
        async with readers_of(lab, backend, exclusive=False) as desk:
            await asyncio.to_thread(lab.insert, card, 0)
            insertion = await inserted(desk, readers[0])
            right = await desk.run(insertion.id, work, timeout_s=WORK_S)
            assert right[0] == 0x9000
            assert other.shared(readers[0]) == FINE
            assert other.send(SELECT_ROOT)[0] == FINE
            assert await desk.run(insertion.id, work, timeout_s=WORK_S) == right
            assert other.reset() == FINE
            assert await desk.run(insertion.id, work, timeout_s=WORK_S) == right
            # in the middle of a job the other program has to wait
            held = card.hold_at(of(READ_RECORD))
            job = asyncio.create_task(desk.run(insertion.id, work, timeout_s=WORK_S))
            await asyncio.to_thread(held.reach)
            begun = asyncio.create_task(asyncio.to_thread(other.begin))
            await asyncio.sleep(0.3)
            assert not begun.done()
            held.release()
            assert await job == right
            assert await begun == FINE
            assert other.end() == FINE


@pytest.mark.asyncio
@pytest.mark.parametrize("leased", [False, True], ids=["job", "lease"])
async def test_r14_whoever_waits_for_a_card_that_was_opened_gets_it_closed(
    lab: Lab, readers: tuple[str, ...], program: Path, *, leased: bool
) -> None:
    card, backend = Recorded(CARD), PcscBackend(Leisurely())
    held = card.hold_at(of(VERIFY))

    def work(channel: Channel, _: Insertion) -> tuple[int, int]:
        return channel.send(SELECT_SOCIAL).sw, channel.send(VERIFY_PIN).sw

    with NextDoor(program, lab.pcscd_socket) as other:
        async with readers_of(lab, backend, exclusive=False) as desk:
            await asyncio.to_thread(lab.insert, card, 0)
            insertion = await inserted(desk, readers[0])
            assert other.shared(readers[0]) == FINE
            hold = desk.lease(insertion.id, "next to me", ttl_s=WORK_S).id if leased else None
            job = asyncio.create_task(desk.run(insertion.id, work, timeout_s=WORK_S, hold=hold))
            await asyncio.to_thread(held.reach)
            begun = asyncio.create_task(asyncio.to_thread(other.begin))
            assert (await asyncio.wait({begun}, timeout=0.3))[0] == set()
            held.release()
            assert await job == (0x9000, 0x9000)
            if hold is not None:
                desk.end_lease(hold, "next to me")
            # it is told that the card was reset, and what we had selected and opened is gone
            assert await begun == RESET_CARD
            assert other.reset() == FINE
            read = other.send(READ_CODE.encode().hex())
            assert read == (FINE, NOTHING_SELECTED)
            # and having been reset once it is left to the other program
            await asyncio.sleep(2 * LEISURE_S)
            assert other.send(SELECT_ROOT)[0] == FINE


@pytest.mark.asyncio
@pytest.mark.parametrize("exclusive", [True, False], ids=["exclusive", "shared"])
async def test_r15_a_removal_inside_a_transaction_does_not_spoil_the_next_one(
    lab: Lab, readers: tuple[str, ...], backend: PcscBackend, program: Path, *, exclusive: bool
) -> None:
    def torn(channel: Channel, _: Insertion) -> int:
        channel.send(SELECT_SOCIAL)
        lab.remove(0)
        return channel.send(SELECT_SOCIAL).sw

    with NextDoor(program, lab.pcscd_socket) as other:
        async with readers_of(lab, backend, exclusive=exclusive) as desk:
            before = None
            for _ in range(3):
                await asyncio.to_thread(lab.insert, Recorded(CARD), 0)
                insertion = await inserted(desk, readers[0], before)
                with pytest.raises(CarddError) as caught:
                    await desk.run(insertion.id, torn, timeout_s=WORK_S)
                assert caught.value.reason is Reason.CARD_REMOVED
                before = insertion
            await asyncio.to_thread(lab.insert, Recorded(CARD), 0)
            insertion = await inserted(desk, readers[0], before)
            assert await desk.run(insertion.id, lambda c, _: c.send(SELECT_SOCIAL).sw, timeout_s=WORK_S) == 0x9000
            assert other.shared(readers[0]) == FINE
            assert other.begin() == FINE
            assert other.send(SELECT_ROOT)[0] == FINE
            assert other.end() == FINE


def test_r16_readers_are_known_by_rule_and_never_by_their_place_in_the_list(tmp_path: Path, program: Path) -> None:
    station = {
        "name": "till",
        "auto": False,
        "readers": [
            {"match": {"name": "Cardsim 1 * 00"}, "role": "counter", "name": "till"},
            {"match": {"name": "Cardsim 1 * 01"}, "role": "sam", "name": "module"},
        ],
    }
    with counter(tmp_path / "c", stations=2, psam=None, settings={"stations": [station]}) as clerk:
        lab = clerk.rig.lab
        # the first reader of the list belongs to somebody else: a card in it is nobody's business
        stranger = Recorded("social-bing-2.0")
        clerk.insert_card(stranger, 0)
        clerk.insert("psam", 3)
        clerk.insert("social-ding-1.0", 2)
        assert clerk.wait("card.identified")["subject"] == "till"
        assert read(clerk).generation == "1.0"
        assert reader(clerk, "module").role == "sam"
        assert reader(clerk, lab.readers[0]).role == "ignored"
        assert stranger.commands == []
        assert not [event for event in clerk.events if event["subject"] == lab.readers[0] and "card." in event["type"]]
        with NextDoor(program, clerk.rig.lab.pcscd_socket) as other:
            assert other.exclusive(lab.readers[0]) == FINE
            assert other.exclusive(lab.readers[0]) == SHARING_VIOLATION
