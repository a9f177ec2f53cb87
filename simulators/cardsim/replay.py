"""A card that says again what was recorded, in the order of the record, and notes what it was not asked then."""

from typing import Final

import msgspec

from cardd.base.structs import Struct
from cardsim.trace import Trace, without_secrets

_UNEXPECTED: Final = bytes.fromhex("6F00")
_MOST_KEPT: Final = 100


class Surprise(Struct, frozen=True):
    """A command that was not the next one of the record: at which place (from 1), and which one was."""

    place: int
    command: bytes
    expected: bytes | None

    def __str__(self) -> str:
        expected = "the end" if self.expected is None else without_secrets(self.expected).hex().upper()
        return f"exchange {self.place}: got {without_secrets(self.command).hex().upper()}, expected {expected}"


class Progress(msgspec.Struct, frozen=True):
    """How far a record has been played; `surprises` tell the first unexpected commands, `inserted` is for a reader."""

    played: int
    total: int
    unexpected: int
    surprises: tuple[str, ...] = ()
    inserted: bool = False

    @property
    def faithful(self) -> bool:
        """Say whether everything was asked as recorded, to the end, and nothing else."""
        return self.played == self.total and not self.unexpected

    @property
    def decided(self) -> bool:
        """Say whether nothing that is recorded can still change the result."""
        return self.played == self.total or bool(self.unexpected)

    def __str__(self) -> str:
        head = f"{self.played} of {self.total} exchanges replayed, {self.unexpected} unexpected commands"
        return "\n".join([head, *self.surprises])


class ReplayCard:
    """A `VirtualCard` that answers a trace.

    The next command of the record gets its answer; any other one gets 6F00, is noted, and the record waits where it is.
    Power and reset do not move it. A terminal's own random numbers are part of its commands: one that draws others is
    not replayed.
    """

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._powered = False
        self.played = 0
        self.surprises: list[Surprise] = []
        self.unexpected = 0
        """How many commands were not expected; the first 100 of them are in `surprises`."""

    @property
    def total(self) -> int:
        """Return how many exchanges the record has."""
        return len(self._trace.exchanges)

    def power_on(self) -> bytes:
        """Give power and return the answer to reset."""
        self._powered = True
        return self._trace.atr

    def reset(self) -> bytes:
        """Reset without taking power away and return the answer to reset."""
        return self.power_on()

    def power_off(self) -> None:
        """Take power away."""
        self._powered = False

    def transmit(self, command: bytes) -> bytes:
        """Return the recorded answer if this was the next command, else 6F00; nothing without power."""
        if not self._powered:
            return b""
        exchange = self._trace.exchanges[self.played] if self.played < self.total else None
        if exchange is not None and exchange.is_of(command):
            self.played += 1
            self._powered = bool(exchange.response)
            return exchange.response
        self.unexpected += 1
        if len(self.surprises) < _MOST_KEPT:
            self.surprises.append(Surprise(self.played + 1, command, exchange.command if exchange else None))
        return _UNEXPECTED

    def progress(self, *, inserted: bool) -> Progress:
        """Return how far the record has been played, and what was not expected."""
        return Progress(self.played, self.total, self.unexpected, tuple(map(str, self.surprises)), inserted)
