"""The memory that survives power loss, and the loss itself."""

from collections.abc import Callable


class PowerLostError(Exception):
    """The power went away in the middle of a command: there is no answer."""


class Memory:
    """Writes that are done whole or not at all, as the card's backup makes them (LD/T 32.7).

    A write that the power cut interrupts is undone by the card at its next power-up, so it never shows.
    """

    def __init__(self) -> None:
        self._left: int | None = None

    def cut_after(self, count: int) -> None:
        """Take power away in the next command, when so many bytes have been written (at its end at the latest)."""
        self._left = count

    def write(self, length: int, change: Callable[[], None]) -> None:
        """Do `change`, which is worth `length` bytes of writing. Raises PowerLostError before it."""
        if self._left is not None:
            if self._left < length:
                raise PowerLostError
            self._left -= length
        change()

    def end_command(self) -> None:
        """Say that the command's work is done. Raises PowerLostError if power was to go in it."""
        if self._left is not None:
            raise PowerLostError

    def restore(self) -> None:
        """Come back with power."""
        self._left = None
