"""Whoever listens on the line: shown every exchange with every card, byte for byte as it travelled."""

from collections.abc import Callable
from typing import Protocol

from cardd.readers.insertion import Insertion

Transmit = Callable[[bytes], bytes]


class Tap(Protocol):
    """Who is shown exchanges, GET RESPONSE and commands of leases included. Called on the worker's thread."""

    def exchanged(self, insertion: Insertion, command: bytes, answer: bytes, seconds: float) -> None:
        """Take one exchange and return at once; `answer` is empty where the card gave none. Never raises."""


def tapped(transmit: Transmit, insertion: Insertion, tap: Tap, monotonic: Callable[[], float]) -> Transmit:
    """Return what transmits as before and shows it to a tap, also a command that no answer came to."""

    def transmit_and_show(command: bytes) -> bytes:
        began, answer = monotonic(), b""
        try:
            answer = transmit(command)
        finally:
            tap.exchanged(insertion, command, answer, monotonic() - began)
        return answer

    return transmit_and_show
