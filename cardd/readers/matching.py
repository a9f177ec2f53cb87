"""Which reader is which: device names held against the configuration."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from cardd.readers.config import ReaderConfig, ReaderMatch, Role, StationConfig

# pcsc-lite writes: model [interface] (serial) reader-index slot-index, the last two in hexadecimal
_SERIAL: Final = re.compile(r"\(([^()]+)\)(?: [0-9A-Fa-f]{2}){1,2}$")

_ANY: Final = ReaderConfig()
_NOBODY: Final = ReaderConfig(role=Role.IGNORED)
NO_STATION: Final = ""


@dataclass(frozen=True, slots=True)
class Device:
    """What is known of a reader. PC/SC tells the name only; the USB path waits for a source that knows it."""

    name: str
    serial: str | None = None
    usb: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A reader's place in the house, from its appearance until it goes."""

    reader: str
    station: str
    role: Role
    pcsc_name: str


def device_of(pcsc_name: str) -> Device:
    """Take apart a PC/SC reader name: `ACS ACR39U [CCID Interface] (R-1234) 00 00` has the serial `R-1234`."""
    found = _SERIAL.search(pcsc_name)
    return Device(pcsc_name, serial=found[1] if found else None)


def fits(match: ReaderMatch, device: Device) -> bool:
    """Tell whether every glob of the match fits. Of something unknown only `*` does: it asks for nothing."""
    pairs = ((match.name, device.name), (match.serial, device.serial), (match.usb, device.usb))
    return all(glob is None or _glob(glob, text or "") for glob, text in pairs)


def _glob(glob: str, text: str) -> bool:
    return glob == text or fnmatchcase(text, glob)


class Placement:
    """The configuration's answer to "who are you?". The first rule that fits decides."""

    def __init__(self, stations: Sequence[StationConfig]) -> None:
        self.stations = tuple(stations) or (StationConfig(readers=(_ANY,)),)

    def place(self, pcsc_name: str, taken: Collection[str]) -> Place:
        """Return the place of a reader that appeared. `taken` are the names in use: two readers never share one.

        A reader that no rule fits is ignored and belongs to no station.
        """
        device = device_of(pcsc_name)
        station, rule = next(self._fitting(device), (NO_STATION, _NOBODY))
        wanted = rule.name or pcsc_name
        candidates = (wanted, pcsc_name, *(f"{pcsc_name} #{number}" for number in range(2, len(taken) + 3)))
        reader = next(name for name in candidates if name not in taken)
        return Place(reader, station, rule.role, pcsc_name)

    def _fitting(self, device: Device) -> Iterator[tuple[str, ReaderConfig]]:
        for station in self.stations:
            for rule in station.readers:
                if fits(rule.match, device):
                    yield station.name, rule
