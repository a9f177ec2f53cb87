"""Which cards the reader is tried on, and what is known of the readings that change what comes out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations, islice
from types import MappingProxyType
from typing import Final

from cardd.rules.files import Generation
from cardsim.toggles import rows


@dataclass(frozen=True, slots=True)
class Basis:
    """A kind of card on which every reading is tried."""

    generation: Generation
    algorithm: str

    def __str__(self) -> str:
        return f"{self.generation} {self.algorithm.upper()}"


BASES: Final = (
    Basis(Generation.V1, "des"),
    Basis(Generation.V2, "des"),
    Basis(Generation.V2, "sm4"),
    Basis(Generation.V3, "des"),
    Basis(Generation.V3, "sm4"),
)


@dataclass(frozen=True, slots=True, order=True)
class Reading:
    """A toggle with a value that is not its default."""

    toggle: str
    value: str

    def __str__(self) -> str:
        return f"{self.toggle} = {self.value}"


READINGS: Final = tuple(Reading(row.name, value) for row in rows() for value in row.values[1:])


Pair = tuple[Reading, Reading]


def pairs() -> Iterator[Pair]:
    """Yield every two readings that one card can have."""
    return (pair for pair in combinations(READINGS, 2) if pair[0].toggle != pair[1].toggle)


class Fate(StrEnum):
    """What a result is that comes out otherwise."""

    SHOWN = "shown as it is"
    """The card has other data, and the reader tells them."""
    REFUSED = "refused by name"
    """What cannot be done on such a card, or must not be, is told by its reason; everything else is done."""


@dataclass(frozen=True, slots=True)
class Note:
    """What is known of a reading that changes the result."""

    fate: Fate
    why: str


NOTES: Final[Mapping[Reading, Note]] = MappingProxyType(
    {
        Reading("fci_algorithm", "ssf33"): Note(
            Fate.REFUSED,
            "SSF33 is refused by its name, whatever the card computes with: the cipher is not published, and a card"
            " that names it is believed",
        ),
        Reading("identification_seal", "random"): Note(Fate.SHOWN, "the card shows its own code"),
        Reading("first_generation_items", "rewritten"): Note(
            Fate.SHOWN, "the card's values have the new meaning, and are told so"
        ),
        Reading("df05_keys", "84"): Note(
            Fate.REFUSED,
            "DF05 is read; its update key is not there (6A88), and nothing is written: the next number may be another"
            ' key\'s, and would count the try. `keys: {guesses: {UK1DF05: "84"}}` tells it',
        ),
        Reading("df07_keys", "reads_first"): Note(
            Fate.REFUSED,
            "the keys of DF07 are mistaken for each other and its files stay closed, after one try of each key that"
            " was needed: the same six numbers are taken in both orders, no command tells"
            " which key a number is, and trying others would cost their tries. `keys: {guesses: …}` tells it",
        ),
        Reading("pin_limit", "3"): Note(Fate.SHOWN, "the card tells its own limit"),
        Reading("pin_limit", "8"): Note(Fate.SHOWN, "the card tells its own limit"),
    }
)
"""What becomes of those readings that change the result."""

TOGETHER: Final[Mapping[frozenset[Reading], str]] = MappingProxyType(
    {
        frozenset({Reading("fci_algorithm", "ssf33"), Reading("third_generation_conditions", "keys_only")}): (
            "files that the PIN does not open, and nobody who computes the key"
        ),
    }
)
"""Readings that change a result together which neither changes alone, and why."""


def sample(basis: Basis) -> Iterator[Pair]:
    """Yield every fortieth pair, on each card others, and those that are known to matter together."""
    yield from (pair for pair in pairs() if frozenset(pair) in TOGETHER)
    yield from islice(pairs(), 7 * BASES.index(basis), None, _SPARSE)


_SPARSE: Final = 40
