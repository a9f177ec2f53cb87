"""Random numbers that a test can foresee."""

import hashlib
from collections.abc import Sequence


class Challenges:
    """First the numbers that were laid out, then those that a seed gives; the place among them survives a reset.

    Every taking is one place, so that a card whose place is written down goes on exactly where it stopped.
    """

    def __init__(self, scripted: Sequence[bytes], seed: int) -> None:
        self._scripted = scripted
        self._seed = seed
        self.place = 0

    def take(self, length: int) -> bytes:
        """Return the next number's first 1 to 16 bytes; one that was laid out too short goes on at random."""
        laid_out = self._scripted[self.place] if self.place < len(self._scripted) else b""
        # hashing the place costs a tenth of seeding a generator for it
        filler = hashlib.sha256(b"%d/%d" % (self._seed, self.place)).digest()
        self.place += 1
        return (laid_out + filler)[:length]
