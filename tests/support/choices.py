"""Which cards the reader is tried on, and what is known of the readings that change what comes out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
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


def pairs() -> Iterator[tuple[Reading, Reading]]:
    """Yield every two readings that one card can have."""
    return (pair for pair in combinations(READINGS, 2) if pair[0].toggle != pair[1].toggle)


NOTES: Final[Mapping[Reading, str]] = MappingProxyType(
    {
        Reading("fci_algorithm", "ssf33"): "SSF33 is refused by its name, whatever the card computes with",
        Reading("identification_seal", "random"): "the card shows its own code",
        Reading("certificate_number", "cn08"): "the item's bytes are kept and marked; the rest of the file is read",
        Reading("first_generation_items", "rewritten"): "the card's values have the new meaning, and are told so",
        Reading("df05_keys", "84"): "DF05 is read; its update key is not there (6A88), and nothing is written",
        Reading("df07_keys", "reads_first"): (
            "the keys of DF07 are mistaken for each other and its files stay closed: trying others would cost their"
            " tries"
        ),
        Reading("pin_limit", "3"): "the card tells its own limit",
        Reading("pin_limit", "8"): "the card tells its own limit",
        Reading("updates", "with_mac"): "everything is read; updates are refused (6987), nothing is written",
        Reading("balance_asked", "with_pin"): "balances are asked without the PIN: ACCESS_DENIED. Money moves",
        Reading("load_certificate_balance", "before"): "the load is done, and told as unproven: its TAC is another",
        Reading(
            "told_sequence", "after"
        ): "a proof that nobody here can judge may be another transaction's, and is told as unproven",
        Reading(
            "sm4_environment_name", "sx1"
        ): "a module whose only environment bears the name for DES and tells no algorithm is not used",
    }
)
"""What becomes of those readings that change the result."""

TOGETHER: Final = frozenset(
    {
        # a module that cannot judge the proof leaves it open how the keys are made, and the host refuses the load
        frozenset({Reading("card_factor", "padded"), Reading("sm4_environment_name", "sx1")}),
        frozenset({Reading("fci_algorithm", "absent"), Reading("sm4_environment_name", "sx1")}),
        # the new meaning is what has the other type
        frozenset({Reading("certificate_number", "cn08"), Reading("first_generation_items", "rewritten")}),
        # files that the PIN does not open, and nobody who computes the key
        frozenset({Reading("fci_algorithm", "ssf33"), Reading("third_generation_conditions", "keys_only")}),
        frozenset({Reading("sm4_environment_name", "sx1"), Reading("third_generation_conditions", "keys_only")}),
    }
)
"""Readings that change a result together which neither changes alone."""
