"""Stations held for somebody across insertions. Event loop's thread only."""

from collections.abc import Collection

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason


class Reservations:
    """Who holds which station; a holder is named by the id of what it does."""

    def __init__(self, stations: Collection[str]) -> None:
        self._stations = frozenset(stations)
        self._holders: dict[str, str] = {}

    def reserve(self, station: str, holder: str) -> None:
        """Hold a station; again by the same holder changes nothing. Raises CarddError: NOT_FOUND, BUSY."""
        if station not in self._stations:
            raise CarddError(Reason.NOT_FOUND, "there is no such station", station=station)
        if self._holders.setdefault(station, holder) != holder:
            raise CarddError(Reason.BUSY, "the station is held for something else", station=station)

    def release(self, station: str, holder: str) -> None:
        """Let go of a station. Nothing happens if somebody else holds it, or nobody."""
        if self._holders.get(station) == holder:
            del self._holders[station]

    def holder(self, station: str) -> str | None:
        """Return who holds a station."""
        return self._holders.get(station)
