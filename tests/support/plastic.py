"""Physical cards as a test has them in hand: they stand still where it says, and remember what they were asked."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cardsim.card.base import VirtualCard
from cardsim.card.make import make_card
from cardsim.persona import load_persona

_HOLD_S: Final = 8.0
_REACHED_S: Final = 25.0


class Hold:
    """A place in a card's work at which it stands still until it is let go on."""

    def __init__(self, wanted: Callable[[bytes], bool], nth: int = 1) -> None:
        self._wanted = wanted
        self._left = nth
        self._reached = threading.Event()
        self._go_on = threading.Event()

    def meet(self, command: bytes) -> None:
        """Stand still if this is the place."""
        if self._left > 0 and self._wanted(command):
            self._left -= 1
            if self._left == 0:
                self._reached.set()
                self._go_on.wait(_HOLD_S)

    def reach(self) -> None:
        """Wait until the card stands still."""
        assert self._reached.wait(_REACHED_S), "the card was never asked that"

    def release(self) -> None:
        """Let the card go on."""
        self._go_on.set()


class Plastic:
    """One physical card: it keeps what was done to it wherever it lies, and remembers what it was asked."""

    def __init__(self, persona: str | Path) -> None:
        self._card: VirtualCard = make_card(load_persona(persona))
        self._hold: Hold | None = None
        self.exchanges: list[tuple[bytes, bytes]] = []

    def hold_at(self, wanted: Callable[[bytes], bool], nth: int = 1) -> Hold:
        """Have it stand still at the n-th command that fits, before it is carried out."""
        self._hold = Hold(wanted, nth)
        return self._hold

    def go_on(self) -> None:
        """Stand still no more."""
        if self._hold is not None:
            self._hold.release()

    def power_on(self) -> bytes:
        return self._card.power_on()

    def reset(self) -> bytes:
        return self._card.reset()

    def power_off(self) -> None:
        self._card.power_off()

    def transmit(self, command: bytes) -> bytes:
        if self._hold is not None:
            self._hold.meet(command)
        answer = self._card.transmit(command)
        self.exchanges.append((command, answer))
        return answer

    def asked(self, instruction: int) -> list[tuple[bytes, bytes]]:
        """Return the commands with data that had this instruction, with what it answered."""
        header = 5
        return [(sent, got) for sent, got in self.exchanges if sent[1] == instruction and len(sent) > header]
