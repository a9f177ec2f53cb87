"""Virtual cards to which something happens at one moment of their work."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cardsim.card.base import VirtualCard
from cardsim.card.make import make_card
from cardsim.persona import load_persona

VERIFY: Final = 0x20
EXTERNAL_AUTHENTICATION: Final = 0x82
READ_RECORD: Final = 0xB2
UPDATE_RECORD: Final = 0xDC

_HEADER_AND_LENGTH: Final = 5
_HOLD_S: Final = 8.0
_REACHED_S: Final = 25.0

Wanted = Callable[[bytes], bool]


class Hold:
    """A place in a card's work at which it stands still until it is let go on, or its patience is over."""

    def __init__(self, wanted: Wanted, nth: int, patience_s: float) -> None:
        self.reached: Final = threading.Event()
        self.go_on: Final = threading.Event()
        self.ran_out = False
        """Whether its patience was over before it was let go on."""
        self._wanted = wanted
        self._left = nth
        self._patience_s = patience_s

    def meet(self, command: bytes) -> None:
        """Stand still if this is the place."""
        if self._left > 0 and self._wanted(command):
            self._left -= 1
            if self._left == 0:
                self.reached.set()
                self.ran_out = not self.go_on.wait(self._patience_s)

    def reach(self) -> None:
        """Wait until the card stands still."""
        assert self.reached.wait(_REACHED_S), "the card was never asked that"

    def release(self) -> None:
        """Let the card go on. Raises AssertionError if it already has: what was done to it meanwhile came too late."""
        self.go_on.set()
        assert not self.ran_out, "the card stands still no more"


class Recorded:
    """A card that keeps what was done to it wherever it lies, and what reached it, and stands still where it is told.

    Made from a persona, or around a card that there is already. `commands` has each command as soon as it comes,
    `exchanges` with its answer.
    """

    def __init__(self, card: str | Path | VirtualCard) -> None:
        self.card = make_card(load_persona(card)) if isinstance(card, str | Path) else card
        self.commands: list[bytes] = []
        self.exchanges: list[tuple[bytes, bytes]] = []
        self._hold: Hold | None = None

    def hold_at(self, wanted: Wanted, nth: int = 1, *, patience_s: float = _HOLD_S) -> Hold:
        """Have it stand still at the n-th command from now on that fits, before it is carried out."""
        self._hold = Hold(wanted, nth, patience_s)
        return self._hold

    def release(self) -> None:
        """Stand still no more."""
        if self._hold is not None:
            self._hold.release()

    def power_on(self) -> bytes:
        return self.card.power_on()

    def reset(self) -> bytes:
        return self.card.reset()

    def power_off(self) -> None:
        self.card.power_off()

    def transmit(self, command: bytes) -> bytes:
        self.commands.append(command)
        if self._hold is not None:
            self._hold.meet(command)
        answer = self.answer(command)
        self.exchanges.append((command, answer))
        return answer

    def answer(self, command: bytes) -> bytes:
        return self.card.transmit(command)

    def count(self, instruction: int, *, with_data: bool = False) -> int:
        """Return how often an instruction reached the card, all of them or those with data."""
        return sum(_is(command, instruction, with_data=with_data) for command in self.commands)

    def asked(self, instruction: int) -> list[tuple[bytes, bytes]]:
        """Return the commands with data that had this instruction, with what it answered."""
        return [(sent, got) for sent, got in self.exchanges if _is(sent, instruction, with_data=True)]


class Torn(Recorded):
    """A card that is torn out when it has done the n-th command of an instruction: nobody hears its answer."""

    def __init__(self, card: str | VirtualCard, instruction: int, nth: int = 1, *, with_data: bool = False) -> None:
        super().__init__(card)
        self._instruction = instruction
        self._left = nth
        self._with_data = with_data

    def answer(self, command: bytes) -> bytes:
        answer = self.card.transmit(command)
        if _is(command, self._instruction, with_data=self._with_data):
            self._left -= 1
            if self._left == 0:
                return b""
        return answer


class Told(Recorded):
    """A card that answers commands as it is told, where it is told anything."""

    def __init__(self, card: str | VirtualCard, told: Callable[[bytes], bytes | None]) -> None:
        super().__init__(card)
        self._told = told

    def answer(self, command: bytes) -> bytes:
        told = self._told(command)
        return self.card.transmit(command) if told is None else told


def of(instruction: int) -> Wanted:
    """Return what is wanted of a command: an instruction."""
    return lambda command: command[1] == instruction


def _is(command: bytes, instruction: int, *, with_data: bool) -> bool:
    """Tell whether a command is of an instruction (and carries data, where that is asked for)."""
    return command[1] == instruction and (len(command) > _HEADER_AND_LENGTH or not with_data)
