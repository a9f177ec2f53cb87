"""What an operator does to a station: lift what was stopped there, give hung readers a new beginning."""

import structlog

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.desk.stop_record import StopRecord
from cardd.desk.stopped import StoppedKeys
from cardd.journal.events import NewEvent
from cardd.readers.facts import ReaderState
from cardd.readers.registry import Readers
from cardd.wire.stations import StationClearParams, StationClearResult

log = structlog.get_logger()


class StationDesk:
    """The operator's deeds at stations. All of it on the event loop's thread."""

    def __init__(self, readers: Readers, stopped: StoppedKeys, record: StopRecord) -> None:
        self._readers = readers
        self._stopped = stopped
        self._record = record

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
