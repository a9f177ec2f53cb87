"""Space set aside on the disk, so that what is open can come to its end when the disk is full.

Two files hold it. When a commit finds no space, the first one is given up: whatever is open goes on, cards are still
noticed, and nothing new begins. When that is used up too, the second is given up for the ends of what is open alone.
"""

import contextlib
import os
from enum import StrEnum
from pathlib import Path
from typing import Final

_NAMES: Final = ("reserve.1", "reserve.2")


class Space(StrEnum):
    """How much room the journal has."""

    AMPLE = "ample"
    TIGHT = "tight"
    """Nothing new begins."""
    CLOSING = "closing"
    """Only what is open is recorded."""


_BY_RELEASED: Final = (Space.AMPLE, Space.TIGHT, Space.CLOSING)


class Reserve:
    """The files of one directory. The journal's thread."""

    def __init__(self, directory: Path, size: int) -> None:
        """Set space aside, `size` bytes in all; where there is no room for it, it counts as given up."""
        self._directory = directory
        self._paths = [directory / name for name in _NAMES]
        self._each = size // len(_NAMES)
        self._released = len(_NAMES) - self._kept()
        self.make()

    @property
    def space(self) -> Space:
        """How much room there is, as far as is known."""
        return _BY_RELEASED[self._released]

    def release(self) -> bool:
        """Give the next file up; False where none is left."""
        if self._released == len(self._paths):
            return False
        self._drop(self._paths[self._released])
        self._released += 1
        return True

    def make(self) -> bool:
        """Set space aside again, the last first, where there is room for it and as much again; True if all is."""
        while self._released and self._room() >= 2 * self._each:
            path = self._paths[self._released - 1]
            if not self._fill(path):
                self._drop(path)
                break
            self._released -= 1
        return not self._released

    def _kept(self) -> int:
        """Count the files that are whole, from the last on: they are given up from the first on."""
        count = 0
        for path in reversed(self._paths):
            try:
                whole = path.stat().st_size == self._each
            except OSError:
                whole = False
            if not whole:
                break
            count += 1
        return count

    def _room(self) -> int:
        try:
            state = os.statvfs(self._directory)
        except OSError:
            return 0
        return state.f_bavail * state.f_frsize

    def _fill(self, path: Path) -> bool:
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(handle, 0, self._each)
            finally:
                os.close(handle)
        except OSError:
            return False
        return True

    def _drop(self, path: Path) -> None:
        with contextlib.suppress(OSError):
            path.unlink()
