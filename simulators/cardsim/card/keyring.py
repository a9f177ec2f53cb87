"""Keys and the PIN with their counters."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cardd.base.structs import Hidden, Struct
from cardd.rules.keys import Level, Usage

PIN: Final = "PIN"
"""The right that VERIFY gives, beside the rights named like the keys that give them."""


@dataclass(slots=True)
class Key:
    """One key on the card: its value by version, and how often it may still be tried.

    Wrong tries are not `counted` with the lock keys (LD/T 32.7 13). `authenticates` says whether a terminal may prove
    itself with it.
    """

    name: str
    kid: int
    versions: Mapping[int, bytes] = field(repr=False)
    limit: int
    tries: int
    counted: bool = True
    authenticates: bool = True

    @property
    def local(self) -> bool:
        """Say whether the key belongs to one application below the environment (LD/T 32.5 table 14: bit 8)."""
        return bool(self.kid & 0x80)

    @property
    def locked(self) -> bool:
        """Say whether no try is left."""
        return self.counted and self.tries == 0


@dataclass(slots=True)
class Pin:
    """The one PIN of an environment, packed digits; empty while none is set."""

    value: bytes = field(repr=False)
    limit: int
    tries: int

    @property
    def locked(self) -> bool:
        """Say whether no try is left."""
        return self.tries == 0

    def reset(self) -> None:
        """Give all tries back."""
        self.tries = self.limit


class HeldKey(Struct, frozen=True):
    """A key in a security module: its value at the module's level, and the usage types under which it serves."""

    value: Hidden[bytes]
    level: Level
    types: frozenset[Usage]


def set_tries(counter: Key | Pin, tries: int) -> None:
    """Write a counter."""
    counter.tries = tries
