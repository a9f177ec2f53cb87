"""Which reader is which: what is known of devices, held against the configuration."""

import re
from collections.abc import Collection, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Final

from msgspec.structs import replace

from cardd.base.structs import Struct
from cardd.iso7816.device import Slot
from cardd.readers.config import KEYPAD_S, ReaderConfig, ReaderMatch, Role, StationConfig

# pcsc-lite writes: model [interface] (serial) reader-index slot-index, the last two in hexadecimal
_SERIAL: Final = re.compile(r"\(([^()]+)\)(?: [0-9A-Fa-f]{2}){1,2}$")
_SLOT_INDEX: Final = re.compile(r"(?<= [0-9A-Fa-f]{2}) [0-9A-Fa-f]{2}$")

_ANY: Final = ReaderConfig()
_NOBODY: Final = ReaderConfig(role=Role.IGNORED)
NO_STATION: Final = ""


class Device(Struct, frozen=True):
    """What is known of a reader: its PC/SC name, and of the device it belongs to the serial number and the USB port."""

    name: str
    serial: str | None = None
    usb: str | None = None

    @property
    def key(self) -> str:
        """Return what all slots of one device have in common: the halves for contacts and antenna, and the SAM's.

        The USB port, where it is known; else the name without the interface's and the slot's part.
        """
        if self.usb is not None:
            return f"usb {self.usb}"
        if self.serial is not None:
            return f"{self.name.split(' [', 1)[0].split(' (', 1)[0]} ({self.serial})"
        return _SLOT_INDEX.sub("", self.name)


class Place(Struct, frozen=True):
    """A reader's place in the house, from its appearance until it goes."""

    reader: str
    station: str
    role: Role
    pcsc_name: str
    device: str = ""
    """The same for all slots of one device."""

    announces: bool = True
    """It notices a card that is put in; False for some slots of security modules."""

    keypad_s: int = KEYPAD_S
    """How many seconds its keypad waits for each key, if it has one."""

    serial: str | None = None
    """The device's serial number, where it is known."""

    usb: str | None = None
    """The path of USB ports at which the device is plugged in, where that is known."""

    def same(self, other: "Place") -> bool:
        """Tell whether it is the same place, for which more or less may be known of the device."""
        return self == replace(other, device=self.device, serial=self.serial, usb=self.usb)


def device_of(slot: Slot) -> Device:
    """Return what is known of a slot's device; `ACS ACR39U [CCID Interface] (R-1234) 00 00` tells the serial itself."""
    found = _SERIAL.search(slot.name)
    return Device(slot.name, slot.serial or (found[1] if found else None), slot.usb)


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

    def place(self, slot: Slot, taken: Collection[str]) -> Place:
        """Return the place of a reader that appeared. `taken` are the names in use: two readers never share one.

        A reader that no rule fits is ignored and belongs to no station.
        """
        device = device_of(slot)
        station, rule = next(self._fitting(device), (NO_STATION, _NOBODY))
        wanted = rule.name or slot.name
        candidates = (wanted, slot.name, *(f"{slot.name} #{number}" for number in range(2, len(taken) + 3)))
        reader = next(name for name in candidates if name not in taken)
        return Place(
            reader,
            station,
            rule.role,
            slot.name,
            device.key,
            announces=rule.announces,
            keypad_s=rule.keypad_s,
            serial=device.serial,
            usb=device.usb,
        )

    def _fitting(self, device: Device) -> Iterator[tuple[str, ReaderConfig]]:
        for station in self.stations:
            for rule in station.readers:
                if fits(rule.match, device):
                    yield station.name, rule
