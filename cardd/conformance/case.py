"""What a case is, and what can come of it."""

from collections.abc import Callable
from enum import Enum

from cardd.base.structs import Struct
from cardd.conformance.card import Card

Run = Callable[[Card], None]


class Cost(Enum):
    """What a case does to a card, the dearest last."""

    NOTHING = "it only reads what anybody may read"
    PROOFS = "it proves the PIN and keys: each that is not this card's costs a try"
    TRIES = "it spends tries on purpose, writes, or moves money"
    LIFE = "it locks the PIN and keys, or blocks the card, for good"


class Outcome(Enum):
    """How a case ended."""

    PASSED = "pass"
    FAILED = "FAIL"
    NOT_APPLICABLE = "n/a"


class Case(Struct, frozen=True):
    """One case of the conformance test: its name in the test's plan, what it holds a card to."""

    name: str
    title: str
    cost: Cost
    run: Run


class Result(Struct, frozen=True):
    """How one case ended with one card, and why if it did not pass.

    `refused`: the card refused a PIN or a key that should have been right, or proved itself by another.
    """

    case: str
    subject: str
    outcome: Outcome
    reason: str = ""
    refused: bool = False
