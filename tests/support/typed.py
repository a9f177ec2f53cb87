"""Digits that holders typed, held against what each card was given: every use is one answer's, and its first.

An answer belongs to one card and to one activation or request. It may be used once in each of its parts, and no longer
than whoever asked for it knows of it.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from support.matrix_cards import CHANGE_PIN, RELOAD_PIN, VERIFY

_HEADER: Final = 5
_BETWEEN: Final = 0xFF
"""What stands between the old PIN and the new one in CHANGE PIN."""


class Part(StrEnum):
    """What digits can be to a card."""

    VERIFIED = "verified"
    CHANGED_FROM = "changed from"
    CHANGED_TO = "changed to"
    RELOADED = "reloaded"
    """Enciphered on its way: which digits they are, only the card knows. Doing it again comes to the same."""


_PARTS: Final[Mapping[str, tuple[frozenset[Part], ...]]] = MappingProxyType(
    {
        # the holder's own PIN is compared, and goes along with the new one
        "social_pin": (frozenset({Part.VERIFIED}), frozenset({Part.CHANGED_FROM})),
        # the new one is set, or after a torn change compared
        "new_pin": (frozenset({Part.CHANGED_TO, Part.VERIFIED}),),
        "old_card_password": (),
    }
)
"""What an answer may be used for, by what was asked: once for one part of each group."""

_RELOADING: Final = frozenset({"new_pin", "old_card_password"})


@dataclass
class _Answer:
    card: Hashable
    owner: str
    purpose: str
    digits: str
    left: list[frozenset[Part]] = field(default_factory=list)

    def serves(self, card: Hashable, part: Part, digits: str) -> bool:
        """Use this answer up for a part, if it can be what the card was given."""
        if self.card != card:
            return False
        if part is Part.RELOADED:
            return self.purpose in _RELOADING and digits in {self.digits, ""}
        group = next((group for group in self.left if part in group), None)
        if group is None or self.digits != digits:
            return False
        self.left.remove(group)
        return True


class Typed:
    """What was typed and can still be used, for every card."""

    def __init__(self) -> None:
        self._answers: list[_Answer] = []

    def answered(self, card: Hashable, owner: str, purpose: str, digits: str) -> None:
        """Note an answer that was taken; an earlier one to the same question is used no more."""
        self._answers = [one for one in self._answers if (one.owner, one.purpose) != (owner, purpose)]
        self._answers.append(_Answer(card, owner, purpose, digits, list(_PARTS[purpose])))

    def given(self, card: Hashable, part: Part, digits: str = "") -> None:
        """Note what a card was given; no digits where they cannot be seen.

        Raises AssertionError where nobody has typed just that for it, or it was used before.
        """
        assert any(answer.serves(card, part, digits) for answer in self._answers), (
            f"{part}: nobody typed that for this card, or it was used before"
        )

    def keep_only(self, owners: Iterable[str]) -> None:
        """Note who is still there: what was typed for all others is used no more."""
        there = frozenset(owners)
        self._answers = [one for one in self._answers if one.owner in there]

    def forget_all(self) -> None:
        """Note that the daemon is gone."""
        self._answers.clear()


def uses(commands: Iterable[bytes]) -> Iterator[tuple[Part, str]]:
    """Yield what a card was given in these commands."""
    for command in commands:
        data = command[_HEADER:]
        match command[1]:
            case code if code == VERIFY and data:
                yield Part.VERIFIED, data.hex()
            case code if code == CHANGE_PIN:
                old, _, new = data.partition(bytes([_BETWEEN]))
                yield Part.CHANGED_FROM, old.hex()
                yield Part.CHANGED_TO, new.hex()
            case code if code == RELOAD_PIN:
                yield Part.RELOADED, ""
