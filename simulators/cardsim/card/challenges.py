"""Random numbers that a test can foresee."""

import hashlib
from collections.abc import Sequence
from typing import Final

_LONGEST: Final = 16
_AT_ONCE: Final = 8
"""More of them would make the one number dearer that most cards are asked for."""


class Challenges:
    """First the numbers that were laid out, then those that a seed gives; the place among them survives a reset.

    Every taking is one place, so that a card whose place is written down goes on exactly where it stopped.
    """

    def __init__(self, scripted: Sequence[bytes], seed: int) -> None:
        self._scripted = scripted
        self._seed = seed
        self._page: int | None = None
        self._numbers = b""
        self.place = 0

    def take(self, length: int) -> bytes:
        """Return the next number's first 1 to 16 bytes; one that was laid out too short goes on at random."""
        place = self.place
        page, line = divmod(place, _AT_ONCE)
        if page != self._page:
            # a hash for each number would be a quarter of what answering GET CHALLENGE takes
            self._numbers = hashlib.shake_128(b"%d/%d" % (self._seed, page)).digest(_AT_ONCE * _LONGEST)
            self._page = page
        self.place = place + 1
        at = line * _LONGEST
        number = self._numbers[at : at + length]
        return (self._scripted[place] + number)[:length] if place < len(self._scripted) else number
