"""How a case says what it found."""

from collections.abc import Container
from typing import Final

LOCKED: Final = 0x6983
_TRIES, _LEFT = 0x63C0, 0xF


class FailedError(Exception):
    """The card did not do what the case holds it to."""


class RefusedError(FailedError):
    """The card refused a PIN or a key that should be right, or proved itself by another: go on, and it locks."""


class NotApplicableError(Exception):
    """The case says nothing about this card, and why."""


def same(what: str, got: int, *wanted: int) -> None:
    """Fail unless a status word is one of those wanted."""
    if got not in wanted:
        words = " or ".join(f"{word:04X}" for word in wanted)
        raise FailedError(f"{what}: {got:04X}, expected {words}")


def holds(condition: object, what: str) -> None:
    """Fail with these words unless something is so."""
    if not condition:
        raise FailedError(what)


def tries(what: str, got: int, left: Container[int]) -> None:
    """Fail unless a status word is 63Cx with one of these numbers of tries left."""
    if not costs_a_try(got) or (got & _LEFT) not in left:
        raise FailedError(f"{what}: {got:04X}, expected 63Cx")


def costs_a_try(status: int) -> bool:
    """Tell whether a status word counts down: 63Cx."""
    return status & ~_LEFT == _TRIES
