"""Trials of the reader on cards with no, one and two readings, and which of two readings can meet at all.

A card that never looks at a toggle is the same whatever the toggle says. Of two readings, each is first tried alone,
and what the cards look at meanwhile is kept: where a card with the one never looks at the other's toggle, a card with
both does what the card with the one does, command by command, and need not be tried again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import chain
from typing import Any, Final

from cardsim.toggles import Toggles
from support.ambiguity import NONE, Facts, Part, Share, played
from support.choices import Basis, Reading

_NAMES: Final = frozenset(Toggles.__struct_fields__)


class Verdict(StrEnum):
    """What a reading does to the reader."""

    UNTOUCHED = "·"
    """The same commands, the same answers."""
    SURVIVED = "other way"
    """Other commands or status words, and the same result."""
    OTHER = "other result"
    """Another result."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came out on one card, part by part."""

    shares: Mapping[Part, Share]

    @property
    def facts(self) -> Facts:
        return dict(chain.from_iterable(share.facts.items() for share in self.shares.values()))

    def differences(self, usual: "Trial") -> Mapping[str, tuple[str, str]]:
        """Return what came out otherwise: as it is usual, and as it is here."""
        was, now = usual.facts, self.facts
        both = {name: (was.get(name, NONE), now.get(name, NONE)) for name in dict.fromkeys((*was, *now))}
        return {name: values for name, values in both.items() if values[0] != values[1]}

    def verdict(self, usual: "Trial") -> Verdict:
        if self.differences(usual):
            return Verdict.OTHER
        traces = ([share.trace for share in trial.shares.values()] for trial in (self, usual))
        return Verdict.UNTOUCHED if next(traces) == next(traces) else Verdict.SURVIVED


class _Watched(Toggles, frozen=True, dict=True):
    """Toggles that keep which of them were looked at."""

    def __getattribute__(self, name: str) -> Any:
        if name in _NAMES:
            object.__getattribute__(self, "__dict__").setdefault("seen", set()).add(name)
        return super().__getattribute__(name)

    def looked_at(self) -> frozenset[str]:
        return frozenset(self.__dict__.get("seen", ()))


@cache
def usual(basis: Basis) -> Trial:
    """Return what comes out on a card without any other reading."""
    return tried(basis)


@cache
def alone(basis: Basis, reading: Reading) -> Trial:
    """Return what comes out on a card with one reading."""
    return Trial({part: _watched(part, basis, reading)[0] for part in Part})


def tried(basis: Basis, *readings: Reading) -> Trial:
    """Do every part on cards with these readings."""
    return Trial({part: played(part, basis, _toggles(*readings)) for part in Part})


def together(basis: Basis, first: Reading, second: Reading) -> Trial:
    """Return what comes out on a card with two readings; only the parts in which they meet are done again."""
    return Trial({part: _both(part, basis, first, second) for part in Part})


def meet(part: Part, basis: Basis, first: Reading, second: Reading) -> bool:
    """Tell whether a card with the one looks at the other's toggle, and the other way round."""
    return all(other.toggle in _watched(part, basis, one)[1] for one, other in ((first, second), (second, first)))


def _both(part: Part, basis: Basis, first: Reading, second: Reading) -> Share:
    if meet(part, basis, first, second):
        return played(part, basis, _toggles(first, second))
    # what a card with the one never looks at changes nothing of what it does
    one = second if first.toggle not in _watched(part, basis, second)[1] else first
    return _watched(part, basis, one)[0]


@cache
def _watched(part: Part, basis: Basis, reading: Reading) -> tuple[Share, frozenset[str]]:
    """Do one part with one reading, and return what came out, and the toggles that were looked at."""
    toggles = _Watched(**{reading.toggle: reading.value})  # type: ignore[arg-type]
    return played(part, basis, toggles), toggles.looked_at()


def _toggles(*readings: Reading) -> Toggles:
    return Toggles(**{reading.toggle: reading.value for reading in readings})  # type: ignore[arg-type]
