"""Readers and what they are for."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from cardd.base.errors import CarddError
from cardd.ctl.health import pcsc
from cardd.ctl.health.findings import Finding, found
from cardd.ctl.health.seen import Daemon, Seen
from cardd.iso7816.device import Presence, Slot
from cardd.readers.matching import Placement
from cardd.readers.options import stations_of
from cardd.wire.base import Json
from cardd.wire.cards import Kind, ReaderView

_STATES: Final = MappingProxyType({"unavailable": "reader_unavailable", "in_use": "reader_in_use"})


def look(seen: Seen) -> Iterator[Finding]:
    """Tell which readers do not do what the configuration has them for: by the daemon's word, else by their names."""
    if seen.daemon is None:
        yield from _by_names(seen)
    elif seen.daemon.readers is not None and seen.daemon.part("pcsc").get("state") != "down":
        yield from _by_views(seen.daemon, seen.daemon.readers)


def _by_names(seen: Seen) -> Iterator[Finding]:
    """Hold the names that the smart-card service has against the configuration's rules."""
    if seen.config is None or seen.config.backend != "pcsc":
        return
    placement = Placement(stations_of(seen.config.stations))
    try:
        names = pcsc.readers()
    except (CarddError, TimeoutError):
        # told already, where the service was looked at
        return
    places = [placement.place(Slot(name, Presence.EMPTY, 0), ()) for name in names]
    if not names:
        yield found("readers_none")
        return
    served = {place.station for place in places if place.role == "counter"}
    for place in places:
        if not place.station:
            yield found("reader_unmatched", reader=place.pcsc_name)
    for station in placement.stations:
        if station.name not in served:
            yield found("station_without_reader", station=station.name)
    if seen.config.keys.provider == "psam" and all(place.role != "sam" for place in places):
        yield found("sam_none")


def _by_views(daemon: Daemon, readers: list[ReaderView]) -> Iterator[Finding]:
    if not readers:
        yield found("readers_none")
        return
    troubles = [trouble for view in readers for trouble in _of(view)]
    troubles += _stations(daemon, readers)
    yield from troubles
    if not troubles:
        names = sorted({view.station for view in readers if view.station})
        yield found("readers_right", count=len(readers), stations=", ".join(names))


def _of(view: ReaderView) -> Iterator[Finding]:
    if not view.station:
        yield found("reader_unmatched", reader=view.pcsc_name)
    elif view.role != "ignored" and view.state in _STATES:
        yield found(_STATES[view.state], reader=view.reader, station=view.station)
    elif view.role == "sam" and view.card is None:
        yield found("sam_empty", reader=view.reader)
    elif view.role == "sam" and view.card is not None and view.card.kind not in {Kind.PSAM, Kind.UNKNOWN}:
        yield found("sam_other_card", reader=view.reader, kind=view.card.kind)


def _stations(daemon: Daemon, readers: list[ReaderView]) -> Iterator[Finding]:
    served = {view.station for view in readers if view.role == "counter"}
    for station in stations(daemon):
        if station.get("station") not in served:
            yield found("station_without_reader", station=station.get("station"))
    if daemon.part("keys").get("provider") == "psam" and all(view.role != "sam" for view in readers):
        yield found("sam_none")


def stations(daemon: Daemon) -> Iterator[Mapping[str, Json]]:
    """Yield what the daemon says of each station."""
    told = (daemon.status or {}).get("stations")
    if isinstance(told, list):
        yield from (station for station in told if isinstance(station, dict))
