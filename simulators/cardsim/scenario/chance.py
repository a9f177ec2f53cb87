"""One seed from which everything random of a run follows: choices, people, the cards' random bytes.

Every use draws from a stream of its own, named by what it is for. So a choice that is added somewhere changes none
elsewhere, and timelines side by side draw the same whichever of them is faster.
"""

import hashlib
import random
from typing import Final

_SEED_BITS: Final = 32


class Chance:
    """The streams of one seed."""

    def __init__(self, seed: int) -> None:
        self.seed: Final = seed

    def stream(self, *names: object) -> random.Random:
        """Return a stream at its beginning."""
        name = "\x00".join(map(str, (self.seed, *names)))
        return random.Random(hashlib.sha256(name.encode()).digest())

    def number(self, *names: object) -> int:
        """Return the number that goes by a name: a card's seed."""
        return self.stream(*names).getrandbits(_SEED_BITS)

    def digits(self, count: int, *names: object) -> str:
        """Return the digits that go by a name: a PIN that somebody chooses."""
        return "".join(self.stream(*names).choices("0123456789", k=count))
