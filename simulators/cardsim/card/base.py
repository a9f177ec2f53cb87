"""What every simulated card is to the links that carry it to a reader."""

from typing import Protocol


class VirtualCard(Protocol):
    """A card on one interface. Bytes in, bytes out; it never raises for what a reader sends."""

    def power_on(self) -> bytes:
        """Give power and return the answer to reset (on the antenna: the one a PC/SC reader builds)."""

    def reset(self) -> bytes:
        """Reset without taking power away and return the answer to reset."""

    def power_off(self) -> None:
        """Take power away: rights are lost, data stays."""

    def transmit(self, command: bytes) -> bytes:
        """Return the response with its status word, exactly as the card gives it on that interface.

        On contacts (T=0) that includes 61xx and 6Cxx. A card without power answers with no bytes at all.
        """
