import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from support.readers import Card, Gate, Rig, ScriptedBackend

from cardd.base.clock import SystemClock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.crypto.sealing import Sm4GcmSealer
from cardd.desk.stations import StationDesk
from cardd.desk.stop_record import StopRecord
from cardd.desk.stopped import StoppedKeys
from cardd.iso7816.apdu import Command
from cardd.iso7816.channel import Channel
from cardd.journal.store import Journal
from cardd.readers.config import ReaderConfig, ReaderMatch, StationConfig
from cardd.readers.facts import ReaderState
from cardd.readers.insertion import Insertion
from cardd.readers.supervisor import GRACE_S
from cardd.rules.keys import KeyName
from cardd.wire.stations import ReaderLendParams, ReaderLendResult, StationClearParams, StationClearResult

pytestmark = pytest.mark.asyncio

SEALER = Sm4GcmSealer(Secret(b"0123456789abcdef"))
TWO = (
    StationConfig("desk", readers=(ReaderConfig(ReaderMatch(name="R")),)),
    StationConfig("other", readers=(ReaderConfig(ReaderMatch(name="S")),)),
)


class Operated:
    """Stations whose operator is asked, over a real journal."""

    def __init__(self, rig: Rig, journal: Journal, record: StopRecord, stopped: StoppedKeys) -> None:
        self.rig = rig
        self.journal = journal
        self.stopped = stopped
        self.desk = StationDesk(rig.readers, journal, stopped, record)

    async def clear(self, station: str | None = "desk") -> StationClearResult:
        return await self.desk.clear(StationClearParams(station=station), client="operator/x")

    async def lend(self, reader: str = "R", holder: str = "c-1") -> ReaderLendResult:
        return await self.desk.lend(ReaderLendParams(reader=reader), holder=holder, client="operator/x")

    def take_back(self, reader: str = "R", holder: str = "c-1") -> None:
        assert self.desk.take_back(ReaderLendParams(reader=reader), holder=holder).reader == "R"

    async def stop(self, key: KeyName, station: str = "desk") -> None:
        """Stop a key as a reader's thread does."""
        await asyncio.to_thread(self.stopped.stop, station, key)

    async def told(self, kind: str) -> list[dict[str, Any]]:
        return [json.loads(event.data) for event in await self.journal.read(0, 100) if event.type == kind]


@asynccontextmanager
async def operated(
    directory: Path, backend: ScriptedBackend | None = None, stations: tuple[StationConfig, ...] = TWO
) -> AsyncIterator[Operated]:
    async with Rig(backend or ScriptedBackend("R", "S"), stations) as rig:
        journal = Journal.open(directory / "journal", sealer=SEALER, clock=SystemClock(), source="/cardd/test")
        try:
            record = StopRecord(journal)
            known = await record.load(station.name for station in stations)
            yield Operated(rig, journal, record, StoppedKeys(record, stopped=known))
        finally:
            await journal.close()


async def test_a_stop_is_on_the_disk_when_the_refusal_goes_on(tmp_path: Path) -> None:
    async with operated(tmp_path) as it:
        await it.stop(KeyName.RKSSSE)
        (told,) = await it.told("key.stopped")
        assert (told["key"], told["text"]["code"]) == ("RKSSSE", "KEY_STOPPED")


async def test_stops_are_found_again_at_the_next_start(tmp_path: Path) -> None:
    async with operated(tmp_path) as it:
        await it.stop(KeyName.UKSSSE)
        await it.stop(KeyName.RKSSSE)
        await it.stop(KeyName.RKSSSE, "other")
    async with operated(tmp_path) as it:
        assert it.stopped.of("desk") == (KeyName.RKSSSE, KeyName.UKSSSE)
        assert it.stopped.of("other") == (KeyName.RKSSSE,)


async def test_a_cleared_station_stays_clear_over_a_restart_and_the_others_stay_stopped(tmp_path: Path) -> None:
    async with operated(tmp_path) as it:
        await it.stop(KeyName.RKSSSE)
        await it.stop(KeyName.RKSSSE, "other")
        result = await it.clear()
        assert (result.station, result.lifted, result.forgotten) == ("desk", ["RKSSSE"], [])
        assert it.stopped.of("desk") == ()
    async with operated(tmp_path) as it:
        assert it.stopped.of("desk") == ()
        assert it.stopped.of("other") == (KeyName.RKSSSE,)


async def test_a_stop_after_a_clearing_is_found_again_and_what_was_lifted_is_not(tmp_path: Path) -> None:
    async with operated(tmp_path) as it:
        await it.stop(KeyName.RKSSSE)
        await it.clear()
        await it.stop(KeyName.UKSSSE)
    async with operated(tmp_path) as it:
        assert it.stopped.of("desk") == (KeyName.UKSSSE,)


async def test_clearing_is_on_record_with_who_did_it(tmp_path: Path) -> None:
    async with operated(tmp_path) as it:
        await it.stop(KeyName.RKSSSE)
        await it.clear()
        (told,) = await it.told("station.cleared")
        assert (told["lifted"], told["forgotten"], told["client"]) == (["RKSSSE"], [], "operator/x")


async def test_without_a_record_nothing_is_lifted(tmp_path: Path) -> None:
    async with operated(tmp_path) as it:
        await it.stop(KeyName.RKSSSE)
        await it.journal.close()
        with pytest.raises(CarddError) as caught:
            await it.clear()
        assert caught.value.reason is Reason.JOURNAL_UNAVAILABLE
        assert it.stopped.of("desk") == (KeyName.RKSSSE,)


async def test_what_could_not_be_lifted_is_found_again_though_another_key_was_stopped_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise CarddError(Reason.JOURNAL_FULL)

    async with operated(tmp_path) as it:
        await it.stop(KeyName.RKSSSE)
        with monkeypatch.context() as patch:
            patch.setattr(it.journal, "record", full)
            with pytest.raises(CarddError):
                await it.clear()
        await it.stop(KeyName.UKSSSE)
    async with operated(tmp_path) as it:
        assert it.stopped.of("desk") == (KeyName.RKSSSE, KeyName.UKSSSE)


async def test_a_stop_that_cannot_be_recorded_stops_all_the_same(tmp_path: Path) -> None:
    async with operated(tmp_path) as it:
        await it.journal.close()
        await it.stop(KeyName.RKSSSE)
        assert it.stopped.of("desk") == (KeyName.RKSSSE,)


async def test_what_is_stopped_while_the_station_is_being_cleared_stays_stopped(tmp_path: Path) -> None:
    async with operated(tmp_path) as it:
        await it.stop(KeyName.RKSSSE)
        clearing = asyncio.create_task(it.clear())
        await asyncio.sleep(0)
        await it.stop(KeyName.UKSSSE)
        assert (await clearing).lifted == ["RKSSSE"]
        assert it.stopped.of("desk") == (KeyName.UKSSSE,)
    async with operated(tmp_path) as it:
        assert it.stopped.of("desk") == (KeyName.UKSSSE,)


@pytest.mark.parametrize(("station", "reason"), [("nowhere", Reason.NOT_FOUND), (None, Reason.INVALID)])
async def test_a_station_has_to_be_named_where_there_are_several(
    tmp_path: Path, station: str | None, reason: Reason
) -> None:
    async with operated(tmp_path) as it:
        with pytest.raises(CarddError) as caught:
            await it.clear(station)
        assert caught.value.reason is reason
        assert await it.told("station.cleared") == []


async def test_the_only_station_needs_no_name(tmp_path: Path) -> None:
    async with operated(tmp_path, ScriptedBackend("R"), TWO[:1]) as it:
        assert (await it.clear(None)).station == "desk"


def twice(channel: Channel, _insertion: Insertion) -> int:
    command = Command(0x00, 0xA4, 0x04, 0x00, b"\x01")
    channel.send(command)
    return channel.send(command).sw


async def test_a_hung_reader_of_the_station_is_forgotten_and_named(tmp_path: Path) -> None:
    async with operated(tmp_path) as it:
        rig, gates = it.rig, (Gate(), Gate())
        for name, gate in zip(("R", "S"), gates, strict=True):
            insertion = await rig.insert(name, Card(b"\x3b\x0a"))
            rig.backend.bays[name].on_connect.append(gate)
            hanging = asyncio.create_task(rig.readers.run(insertion.id, twice, timeout_s=1))
            await rig.until(gate.reached.is_set)
            rig.clock.advance(1 + GRACE_S)
            with pytest.raises(CarddError):
                await hanging
        result = await it.clear()
        assert result.forgotten == ["R"]
        states = {view.reader: view.state for view in rig.readers.views()}
        assert states["R"] is not ReaderState.UNAVAILABLE
        assert states["S"] is ReaderState.UNAVAILABLE
        for gate in gates:
            gate.open()


async def test_a_reader_is_lent_on_record_and_taken_back_on_record(tmp_path: Path) -> None:
    async with operated(tmp_path) as it:
        assert (await it.lend()).pcsc_name == "R"
        assert await it.told("reader.lent") == [{"station": "desk", "client": "operator/x"}]
        assert (it.desk.lent("desk"), it.desk.lent("other")) == ({"R": "operator/x"}, {})
        assert await it.told("reader.taken_back") == []
        it.take_back()
        assert await it.told("reader.taken_back") == [{"station": "desk", "client": "operator/x"}]
        assert it.desk.lent("desk") == {}


async def test_the_end_of_a_connection_takes_back_what_was_lent_for_it_on_record(tmp_path: Path) -> None:
    async with operated(tmp_path) as it:
        await it.lend()
        it.rig.readers.end_holds_of("c-1")
        assert len(await it.told("reader.taken_back")) == 1
        await it.lend(holder="c-2")
        assert len(await it.told("reader.lent")) == 2


async def test_a_reader_that_was_unplugged_meanwhile_is_taken_back_too(tmp_path: Path) -> None:
    async with operated(tmp_path) as it:
        await it.lend()
        bay = it.rig.backend.bays.pop("R")
        await it.rig.seen()
        it.take_back()
        assert len(await it.told("reader.taken_back")) == 1
        it.rig.backend.bays["R"] = bay
        await it.rig.seen()
        await it.lend(holder="c-2")


async def test_the_end_of_a_connection_is_on_record_at_once_also_for_a_reader_that_was_unplugged(
    tmp_path: Path,
) -> None:
    async with operated(tmp_path) as it:
        await it.lend()
        del it.rig.backend.bays["R"]
        await it.rig.seen()
        it.rig.readers.end_holds_of("c-1")
        assert len(await it.told("reader.taken_back")) == 1


async def test_a_reader_that_was_unplugged_is_taken_back_by_either_name(tmp_path: Path) -> None:
    named = (StationConfig("desk", readers=(ReaderConfig(ReaderMatch(name="R"), name="till"),)),)
    async with operated(tmp_path, stations=named) as it:
        await it.lend("till")
        del it.rig.backend.bays["R"]
        await it.rig.seen()
        assert it.desk.take_back(ReaderLendParams(reader="R"), holder="c-1").reader == "till"
        assert len(await it.told("reader.taken_back")) == 1


async def test_lending_a_reader_again_to_the_same_is_one_loan(tmp_path: Path) -> None:
    async with operated(tmp_path) as it:
        await it.lend()
        await it.lend()
        assert len(await it.told("reader.lent")) == 1


@pytest.mark.parametrize("reader", ["nowhere", ""])
async def test_only_a_reader_that_is_there_is_lent(tmp_path: Path, reader: str) -> None:
    async with operated(tmp_path) as it:
        with pytest.raises(CarddError) as caught:
            await it.lend(reader)
        assert caught.value.reason is Reason.NOT_FOUND


async def test_what_is_lent_to_another_is_neither_lent_again_nor_taken_back_for_somebody_else(tmp_path: Path) -> None:
    async with operated(tmp_path) as it:
        await it.lend()
        with pytest.raises(CarddError) as caught:
            await it.lend(holder="c-2")
        assert caught.value.reason is Reason.READER_IN_USE
        with pytest.raises(CarddError) as caught:
            it.take_back(holder="c-2")
        assert caught.value.reason is Reason.NOT_FOUND
        assert it.desk.lent("desk") == {"R": "operator/x"}


async def test_without_a_record_nothing_is_lent(tmp_path: Path) -> None:
    async with operated(tmp_path) as it:
        await it.journal.close()
        with pytest.raises(CarddError) as caught:
            await it.lend()
        assert caught.value.reason is Reason.JOURNAL_UNAVAILABLE
        assert it.rig.readers.lent_for("R") is None
        assert it.desk.lent("desk") == {}


@pytest.mark.parametrize("gone", ["cancelled", "let go"])
async def test_a_connection_that_goes_while_the_reader_is_being_closed_is_lent_nothing(
    tmp_path: Path, gone: str
) -> None:
    async with operated(tmp_path) as it:
        gate = Gate()
        insertion = await it.rig.insert("R", Card(b"\x3b\x0a"))
        it.rig.backend.bays["R"].on_transmit.append(gate)
        working = asyncio.create_task(it.rig.readers.run(insertion.id, twice, timeout_s=60))
        await it.rig.until(gate.reached.is_set)
        lending = asyncio.create_task(it.lend())
        await it.rig.until(lambda: it.rig.readers.lent_for("R") is not None)
        if gone == "cancelled":
            lending.cancel()
        it.rig.readers.end_holds_of("c-1")
        gate.open()
        await asyncio.wait([working, lending])
        assert lending.cancelled() or isinstance(lending.exception(), CarddError)
        assert it.rig.readers.lent_for("R") is None
        assert await it.told("reader.lent") == []
