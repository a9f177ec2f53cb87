"""How a case says what it found."""

from collections.abc import Container


class FailedError(Exception):
    """The card did not do what the case holds it to."""


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
    if got & 0xFFF0 != 0x63C0 or (got & 0xF) not in left:  # noqa: PLR2004 # 63Cx
        raise FailedError(f"{what}: {got:04X}, expected 63Cx")
