"""The memory that survives power loss, and the loss itself."""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from cardd.base.structs import Struct

Undo = Callable[[], None]

_MARK: Final = 1
"""The byte that makes a backup valid, and whose erasure discards it."""


class PowerLostError(Exception):
    """The power went away in the middle of a command: there is no answer."""


class MemoryFailureError(Exception):
    """A byte could not be written."""


class Change(Protocol):
    """One part of a transaction, written byte after byte."""

    @property
    def size(self) -> int:
        """Return how many bytes it writes."""

    def save(self) -> Undo:
        """Keep what is there; return what puts it back."""

    def put(self, index: int) -> None:
        """Write one of its bytes."""


class CellChange(Struct, frozen=True):
    """New bytes for a place in a memory of bytes."""

    cells: bytearray
    offset: int
    new: bytes

    @property
    def size(self) -> int:
        """Return how many bytes it writes."""
        return len(self.new)

    def save(self) -> Undo:
        """Keep what is there; return what puts it back."""
        old = self.cells[self.offset : self.offset + self.size]

        def undo() -> None:
            self.cells[self.offset : self.offset + self.size] = old

        return undo

    def put(self, index: int) -> None:
        """Write one of its bytes."""
        self.cells[self.offset + index] = self.new[index]


class Memory:
    """Writes that are done whole or not at all, as the card's backup makes them (LD/T 32.7 14).

    A write that the power cut interrupts is undone by the card at its next power-up, so it never shows.
    """

    def __init__(self) -> None:
        self._left: int | None = None
        self._worn: int | None = None
        self._backup: tuple[Undo, ...] = ()

    def wear_out_after(self, count: int) -> None:
        """Fail in the next command, when so many bytes have been written, if it writes more."""
        self._worn = count

    def cut_after(self, count: int) -> None:
        """Take power away in the next command, when so many bytes have been written (at its end at the latest)."""
        self._left = count

    def write(self, length: int, change: Callable[[], None]) -> None:
        """Do `change`, which is worth `length` bytes of writing. Raises PowerLostError before it."""
        self._spend(length)
        change()

    def transact(self, changes: Sequence[Change]) -> None:
        """Do several changes together: all of them or none, wherever the power is cut. Raises PowerLostError.

        The bytes of its work are, in this order: the backup of what is there and its mark, the changes themselves, and
        the mark's erasure, which commits them.
        """
        self._spend(sum(change.size for change in changes))
        backup = tuple(change.save() for change in changes)
        self._spend(_MARK)
        self._backup = backup
        for change in changes:
            for index in range(change.size):
                self._spend(1)
                change.put(index)
        self._spend(_MARK)
        self._backup = ()

    def end_command(self) -> None:
        """Say that the command's work is done. Raises PowerLostError if power was to go in it."""
        self._worn = None
        if self._left is not None:
            raise PowerLostError

    def restore(self) -> None:
        """Come back with power: put back what a marked backup holds."""
        self._left, self._worn = None, None
        self.undo()

    def undo(self) -> None:
        """Put back what a marked backup holds."""
        for undo in reversed(self._backup):
            undo()
        self._backup = ()

    def _spend(self, count: int) -> None:
        if self._left is None and self._worn is None:
            return
        if self._left is not None:
            if self._left < count:
                raise PowerLostError
            self._left -= count
        if self._worn is not None:
            if self._worn < count:
                raise MemoryFailureError
            self._worn -= count
