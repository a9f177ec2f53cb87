"""What the configuration says of readers: stations, their readers, and how cards are opened and lent."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

import msgspec

from cardd.base.options import Name, Seconds, Strict
from cardd.readers.config import ReaderConfig, ReaderMatch, Role, StationConfig


class Access(StrEnum):
    """How cards are opened.

    `exclusive`: for us alone while we work on them. `shared`: other programs may be connected too, and wait while a job
    of ours is done, which is one transaction.
    """

    EXCLUSIVE = "exclusive"
    SHARED = "shared"


class MatchOptions(Strict):
    """Globs that a reader's name, serial number and USB path must fit; one that is left out fits all."""

    name: str | None = None
    serial: str | None = None
    usb: str | None = None


class ReaderOptions(Strict):
    """A rule for readers: which, what for, and what to call them.

    `announces: false` is for a SAM slot that does not notice its card: it is powered now and then to find out.
    `keypad_s` is how long the reader's own keypad, if it has one, waits for each key, in whole seconds.
    """

    match: MatchOptions
    role: Role = Role.COUNTER
    name: Name | None = None
    announces: bool = True
    keypad_s: Annotated[int, msgspec.Meta(ge=1, le=255)] = 30


class StationOptions(Strict):
    """One desk and its readers. `auto`: an old card put in begins a pharmacy handoff by itself."""

    name: Name
    readers: list[ReaderOptions]
    auto: bool = False


class LeaseOptions(Strict):
    """For how long a client may hold a card at once; it may ask again before that has passed."""

    longest_s: Seconds = 300.0


def stations_of(options: Iterable[StationOptions]) -> list[StationConfig]:
    """Return the stations of a configuration as this floor has them."""
    return [
        StationConfig(
            name=station.name,
            auto=station.auto,
            readers=tuple(
                ReaderConfig(
                    match=ReaderMatch(name=reader.match.name, serial=reader.match.serial, usb=reader.match.usb),
                    role=reader.role,
                    name=reader.name,
                    announces=reader.announces,
                    keypad_s=reader.keypad_s,
                )
                for reader in station.readers
            ),
        )
        for station in options
    ]
