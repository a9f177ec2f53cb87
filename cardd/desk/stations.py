"""What an operator does to stations: lift what was stopped, give hung readers a new beginning, lend a reader out."""

import asyncio
from contextlib import suppress

import structlog

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Struct
from cardd.desk.stop_record import StopRecord
from cardd.desk.stopped import StoppedKeys
from cardd.journal.events import NewEvent, StoredEvent
from cardd.journal.store import Journal
from cardd.readers.facts import ReaderState, ReaderStatus
from cardd.readers.registry import Readers
from cardd.wire.stations import (
    ReaderLendParams,
    ReaderLendResult,
    ReaderTakeBackResult,
    StationClearParams,
    StationClearResult,
)

log = structlog.get_logger()


class _Loan(Struct, frozen=True):
    """A reader in another program's hands: its own name, where it belongs, for whom it is held, and who asked."""

    pcsc_name: str
    station: str
    holder: str
    client: str


class StationDesk:
    """The operator's deeds at stations. All of it on the event loop's thread."""

    def __init__(self, readers: Readers, journal: Journal, stopped: StoppedKeys, record: StopRecord) -> None:
        self._readers = readers
        self._journal = journal
        self._stopped = stopped
        self._record = record
        self._lent: dict[str, _Loan] = {}
        readers.on_release(lambda _: self._sweep())

    async def clear(self, params: StationClearParams, *, client: str) -> StationClearResult:
        """Lift the stops of a station and forget its hung readers' calls; tell which. It may be called at any time.

        A stop that is met meanwhile stays. Raises CarddError: NOT_FOUND, INVALID where there are several stations and
        none was named, JOURNAL_*: then nothing is lifted.
        """
        station = self._station(params.station)
        lifted = self._stopped.of(station)
        hung = self._unavailable(station)
        self._readers.forget_hung(station)
        forgotten = sorted(hung - self._unavailable(station))
        event = NewEvent(
            "station.cleared",
            station,
            {
                "lifted": [str(key) for key in lifted],
                "forgotten": list(forgotten),
                "client": client,
                "text": {"code": "station_cleared", "args": {}},
            },
        )
        await self._record.lift(station, lifted, event)
        self._stopped.lift(station, lifted)
        return StationClearResult(station=station, lifted=[str(key) for key in lifted], forgotten=forgotten)

    async def lend(self, params: ReaderLendParams, *, holder: str, client: str) -> ReaderLendResult:
        """Give a reader to another program, on record; return once it is closed here.

        It is taken back by `take_back`, and when the holder's holds end, which those of a connection do with it.

        Raises CarddError: NOT_FOUND; READER_IN_USE if it is lent to somebody else; BUSY, LEASE_HELD; READER_UNAVAILABLE
        if it cannot be closed; LEASE_LOST if the holder's holds ended meanwhile; JOURNAL_*. Then it is not lent.
        """
        self._sweep()
        status = self._reader(params.reader)
        closed = self._readers.lend(status.reader, holder)
        try:
            await self._hand_over(closed, status.reader, _Loan(status.pcsc_name, status.station, holder, client))
        except BaseException:
            with suppress(CarddError):
                self._readers.take_back(status.reader, holder)
            raise
        return ReaderLendResult(reader=status.reader, pcsc_name=status.pcsc_name)

    async def _hand_over(self, closed: "asyncio.Future[None]", reader: str, loan: _Loan) -> None:
        """Wait until a reader is closed and record the loan, once."""
        await closed
        if self._readers.lent_for(reader) != loan.holder:
            # its holds have ended meanwhile, this one with them
            raise CarddError(Reason.LEASE_LOST, "the reader was taken back", reader=reader)
        if reader not in self._lent:
            self._lent[reader] = loan
            await self._journal.record(_told("reader.lent", reader, loan))

    def take_back(self, params: ReaderLendParams, *, holder: str) -> ReaderTakeBackResult:
        """Take a reader back. Raises CarddError(NOT_FOUND) if it is not lent for that holder."""
        # one that was unplugged meanwhile is known as lent alone
        lent = (reader for reader, loan in self._lent.items() if params.reader in {reader, loan.pcsc_name})
        reader = next(lent, None) or self._reader(params.reader).reader
        self._readers.take_back(reader, holder)
        self._sweep()
        return ReaderTakeBackResult(reader=reader)

    def lent(self, station: str) -> dict[str, str]:
        """Return which readers of a station are lent, and to which clients."""
        self._sweep()
        return {reader: loan.client for reader, loan in self._lent.items() if loan.station == station}

    def _sweep(self) -> None:
        """Record what was taken back, however that came about."""
        for reader, loan in list(self._lent.items()):
            if self._readers.lent_for(reader) != loan.holder:
                del self._lent[reader]
                self._journal.record(_told("reader.taken_back", reader, loan)).add_done_callback(_look)

    def _reader(self, name: str) -> ReaderStatus:
        view = next((view for view in self._readers.views() if name in {view.reader, view.pcsc_name}), None)
        if view is None:
            raise CarddError(Reason.NOT_FOUND, "there is no such reader", reader=name)
        return view

    def _station(self, name: str | None) -> str:
        names = [station.name for station in self._readers.stations()]
        if name is None and len(names) != 1:
            raise CarddError(
                Reason.INVALID, f"there are several stations ({', '.join(names)}): name one", path="$.station"
            )
        if name is not None and name not in names:
            raise CarddError(Reason.NOT_FOUND, "there is no such station", station=name)
        return name or names[0]

    def _unavailable(self, station: str) -> set[str]:
        views = self._readers.views()
        return {view.reader for view in views if view.station == station and view.state is ReaderState.UNAVAILABLE}


def _told(kind: str, reader: str, loan: _Loan) -> NewEvent:
    return NewEvent(kind, reader, {"station": loan.station, "client": loan.client})


def _look(recorded: "asyncio.Future[tuple[StoredEvent, ...]]") -> None:
    """Take note of a failure that nobody waits for."""
    if not recorded.cancelled() and isinstance(error := recorded.exception(), CarddError):
        log.warning("a reader's return is not on record", reason=str(error.reason))
