"""The least card there is: it says back what it was told. To test and to measure readers and links with."""

import threading
from typing import Final

CONTACT_ATR: Final = bytes.fromhex("3B021450")
"""T=0, two historical bytes."""

CONTACTLESS_ATR: Final = bytes.fromhex("3B8D8001513132333435363738393031325F")
"""What a PC/SC reader says for a contactless card: T=1."""


class EchoCard:
    """Answers a command with itself and 9000. While `held` is set, it lets the terminal wait for its answer."""

    def __init__(self, atr: bytes = CONTACT_ATR) -> None:
        self._atr = atr
        self._go = threading.Event()
        self._go.set()
        self.asked = threading.Event()
        self.powered = False
        self.cold_resets = 0
        self.warm_resets = 0

    def hold(self) -> None:
        """Do not answer before `let_go`."""
        self._go.clear()

    def let_go(self) -> None:
        """Answer again."""
        self._go.set()

    def power_on(self) -> bytes:
        """Give power and return the answer to reset."""
        self.powered = True
        self.cold_resets += 1
        return self._atr

    def reset(self) -> bytes:
        """Reset without taking power away and return the answer to reset."""
        self.warm_resets += 1
        return self._atr

    def power_off(self) -> None:
        """Take power away."""
        self.powered = False

    def transmit(self, command: bytes) -> bytes:
        """Return the command and 9000; nothing without power."""
        self.asked.set()
        self._go.wait()
        return command + b"\x90\x00" if self.powered else b""
