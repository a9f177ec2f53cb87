"""What computes for the medical account with the issuer's keys: purchases that a terminal signs, loads from a host.

Beside KeyService, because not every key service has the money keys; failures are those of UNASKED there.
"""

from contextlib import AbstractContextManager
from typing import Protocol

from cardd.base.structs import Hidden, Struct
from cardd.crypto.block import Algorithm
from cardd.crypto.derive import Factors
from cardd.crypto.money import Amounts


class CardKeys(Struct, frozen=True):
    """Whose keys are meant: the card's algorithm and factors."""

    algorithm: Algorithm
    factors: Factors


class Purchase(Struct, frozen=True):
    """What MAC1 of a purchase is made of, besides the terminal's own numbers (LD/T 32.7 12, LD/T 32.9).

    `random` (4 bytes), `sequence`, `version` of the debit key and `cipher` (the card's number of its algorithm) are the
    answer to INITIALIZE FOR PURCHASE; `time` is 7 bytes of packed digits YYYYMMDDHHMMSS.
    """

    amounts: Hidden[Amounts]
    random: bytes
    sequence: int
    version: int
    cipher: int
    time: bytes


class Signature(Struct, frozen=True):
    """The terminal's share in a purchase: its own sequence and MAC1 (4 bytes)."""

    sequence: int
    mac1: bytes


class Load(Struct, frozen=True):
    """What the MACs of a load are made of; `balance` is the one before it, in fen."""

    balance: Hidden[int]
    amount: Hidden[int]
    random: bytes
    sequence: int
    version: int
    terminal: bytes
    time: bytes

    @property
    def certified(self) -> tuple[int, ...]:
        """Return the balances that the card's certificate may be about: the one after it, or the one before.

        The rule leaves it open. Either is the card's word, for nobody else holds the key.
        """
        return (self.balance + self.amount, self.balance)


class Till(Protocol):
    """One purchase under way at the terminal's security module, which serves nobody else meanwhile."""

    @property
    def terminal(self) -> bytes:
        """The terminal's number, 6 bytes of packed digits."""

    def sign(self, purchase: Purchase) -> Signature:
        """Count the terminal's sequence on and return it with MAC1."""

    def confirms(self, mac2: bytes) -> bool:
        """Tell whether the card's MAC2 says that it was debited as signed."""


class MoneyService(Protocol):
    """Computes with DPK, DLK and DTK. Called on a card's worker, as KeyService is, and may block until the deadline."""

    def terminal(self, card: CardKeys, *, deadline: float) -> bytes:
        """Return the terminal's number, 6 bytes of packed digits."""

    def purchase(self, card: CardKeys, *, deadline: float) -> AbstractContextManager[Till]:
        """Open a purchase; it ends with the context, signed or not."""

    def load_mac2(self, card: CardKeys, load: Load, mac1: bytes, *, deadline: float) -> bytes | None:
        """Return the host's MAC2, 4 bytes; None where the card's MAC1 is wrong: nothing may be loaded then."""

    def purchase_tac_right(
        self, card: CardKeys, purchase: Purchase, terminal: bytes, sequence: int, tac: bytes, *, deadline: float
    ) -> bool | None:
        """Judge the certificate of a purchase (`sequence`: the terminal's); None where nobody here holds that key."""

    def load_tac_right(self, card: CardKeys, load: Load, tac: bytes, *, deadline: float) -> bool | None:
        """Judge the certificate of a load; None where nobody here holds that key."""

    def purchase_mac2_right(
        self, card: CardKeys, purchase: Purchase, sequence: int, mac2: bytes, *, deadline: float
    ) -> bool | None:
        """Judge MAC2 of a purchase that is over (`sequence`: the terminal's); None where that cannot be done later."""
