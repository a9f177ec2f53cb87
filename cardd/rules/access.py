"""What opens a file: the holder's PIN, keys of the issuer, either, both, nothing, or no right at all (LD/T 32.6)."""

from enum import StrEnum
from typing import Final

from cardd.base.structs import Struct
from cardd.rules.keys import KeyName


class HolderRight(StrEnum):
    """What the holder proves."""

    PIN = "PIN"


PIN: Final = HolderRight.PIN
Right = KeyName | HolderRight


class Access(Struct, frozen=True):
    """A condition as alternatives: any one of `ways` suffices, each a set of rights that are all needed.

    One empty way is free access, no way at all is never.
    """

    ways: tuple[frozenset[Right], ...]

    @property
    def free(self) -> bool:
        """Tell whether anybody may."""
        return frozenset() in self.ways

    @property
    def key(self) -> KeyName | None:
        """Return the key that suffices alone, None where there is none or none is needed."""
        alone = [right for way in self.ways if len(way) == 1 for right in way]
        return None if self.free else next((right for right in alone if isinstance(right, KeyName)), None)

    def opened_by(self, rights: frozenset[Right]) -> bool:
        """Tell whether these rights suffice."""
        return any(way <= rights for way in self.ways)

    def __str__(self) -> str:
        if self.free:
            return "free"
        return " or ".join(" & ".join(_pin_first(way)) for way in self.ways) or "never"


def _pin_first(way: frozenset[Right]) -> list[str]:
    return sorted(way, key=lambda right: (right != PIN, right))


FREE: Final = Access((frozenset(),))
NEVER: Final = Access(())


def either(*rights: Right) -> Access:
    """Return the condition that one of these rights is there: `PIN or RK1DF01`; with one right, that one."""
    return Access(tuple(frozenset({right}) for right in rights))


def both(*rights: Right) -> Access:
    """Return the condition that all of these rights are there: `PIN & RK1DF04`."""
    return Access((frozenset(rights),))


def any_of(*conditions: Access) -> Access:
    """Return the condition that one of these conditions is met: `(PIN & RK3DF03) or UK4DF03`."""
    return Access(tuple(way for condition in conditions for way in condition.ways))
