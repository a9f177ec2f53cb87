"""What the readers floor can be told: stations, their readers, and by what a reader is known."""

from enum import StrEnum
from typing import Final

import msgspec

from cardd.base.structs import Struct

DEFAULT_STATION: Final = "default"
KEYPAD_S: Final = 30


class Role(StrEnum):
    """What a reader is for."""

    COUNTER = "counter"
    """Cards of people."""

    SAM = "sam"
    """The terminal's security module."""

    IGNORED = "ignored"
    """Listed and never touched: it belongs to another program."""


class ReaderMatch(Struct, frozen=True):
    """Globs by which a reader is known; all that are given must fit, one that is left out fits every reader.

    `name` is held against the PC/SC name, `serial` and `usb` against what is known of the device. A glob that is equal
    to the text fits as well, because PC/SC names hold brackets: `ACS ACR39U [CCID Interface] 00 00`.
    """

    name: str | None = None
    serial: str | None = None
    usb: str | None = None


class ReaderConfig(Struct, frozen=True):
    """One rule for readers: which, what for, and what people call it (else its PC/SC name).

    `announces` is False for a SAM slot that does not notice its card: it is powered to find out. `keypad_s` is how
    many seconds, 1 to 255, the reader's own keypad waits for each key.
    """

    match: ReaderMatch = msgspec.field(default_factory=ReaderMatch)
    role: Role = Role.COUNTER
    name: str | None = None
    announces: bool = True
    keypad_s: int = KEYPAD_S


class StationConfig(Struct, frozen=True):
    """One desk. `auto`: an old card put in begins a pharmacy handoff by itself."""

    name: str = DEFAULT_STATION
    auto: bool = False
    readers: tuple[ReaderConfig, ...] = ()
