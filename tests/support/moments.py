"""Virtual cards to which something happens at one moment of their work."""

import threading
from collections.abc import Callable
from typing import Final

from cardsim.card.base import VirtualCard
from cardsim.card.make import make_card
from cardsim.persona import load_persona

VERIFY: Final = 0x20
EXTERNAL_AUTHENTICATION: Final = 0x82
READ_RECORD: Final = 0xB2
UPDATE_RECORD: Final = 0xDC

_HEADER_AND_LENGTH: Final = 5


class Recorded:
    """A card that keeps what reached it. Made from a persona, or around a card that there is already."""

    def __init__(self, card: str | VirtualCard) -> None:
        self.card = make_card(load_persona(card)) if isinstance(card, str) else card
        self.commands: list[bytes] = []

    def power_on(self) -> bytes:
        return self.card.power_on()

    def reset(self) -> bytes:
        return self.card.reset()

    def power_off(self) -> None:
        self.card.power_off()

    def transmit(self, command: bytes) -> bytes:
        self.commands.append(command)
        return self.answer(command)

    def answer(self, command: bytes) -> bytes:
        return self.card.transmit(command)

    def count(self, instruction: int, *, with_data: bool = False) -> int:
        """Return how often an instruction reached the card, all of them or those with data."""
        return sum(_is(command, instruction, with_data=with_data) for command in self.commands)


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


class Halted(Recorded):
    """A card that waits at the n-th command of an instruction until the test lets it go on."""

    def __init__(self, card: str | VirtualCard, instruction: int, nth: int = 1, *, patience_s: float = 1.5) -> None:
        super().__init__(card)
        self._instruction = instruction
        self._left = nth
        self._patience_s = patience_s
        self.reached = threading.Event()
        self.go_on = threading.Event()

    def halt_next(self) -> None:
        """Wait at the next command of the instruction."""
        self._left = 1

    def answer(self, command: bytes) -> bytes:
        if command[1] == self._instruction:
            self._left -= 1
            if self._left == 0:
                self.reached.set()
                self.go_on.wait(self._patience_s)
        return self.card.transmit(command)


class Told(Recorded):
    """A card that answers commands as it is told, where it is told anything."""

    def __init__(self, card: str | VirtualCard, told: Callable[[bytes], bytes | None]) -> None:
        super().__init__(card)
        self._told = told

    def answer(self, command: bytes) -> bytes:
        told = self._told(command)
        return self.card.transmit(command) if told is None else told


def _is(command: bytes, instruction: int, *, with_data: bool) -> bool:
    """Tell whether a command is of an instruction (and carries data, where that is asked for)."""
    return command[1] == instruction and (len(command) > _HEADER_AND_LENGTH or not with_data)
