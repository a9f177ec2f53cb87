"""The money keys in this process's memory, as one invented root: for tests, never for a counter."""

import hmac
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.crypto import money
from cardd.crypto.derive import diversify_all
from cardd.keys.money import CardKeys, Load, Purchase, Signature

TERMINAL: Final = bytes.fromhex("000000000000")
"""The number that stands for a terminal without a module."""


class SoftwareMoney:
    """A money service that holds one root, which stands for DPK, DLK and DTK in all their versions."""

    def __init__(self, root: Secret, *, tests_only: bool, terminal: bytes = TERMINAL) -> None:
        """Take the root. Raises CarddError(INVALID) unless the configuration says that this is for tests."""
        if not tests_only:
            raise CarddError(Reason.INVALID, "the software key service is for tests: say tests_only, or use a PSAM")
        self._root = root
        self._terminal = terminal
        self._sequences = itertools.count(1)

    def terminal(self, card: CardKeys, *, deadline: float) -> bytes:  # noqa: ARG002 - nothing is waited for
        """Return the terminal's number, as MoneyService says."""
        return self._terminal

    @contextmanager
    def purchase(self, card: CardKeys, *, deadline: float) -> Iterator["SoftwareTill"]:  # noqa: ARG002
        """Open a purchase, as MoneyService says."""
        yield SoftwareTill(card, self._key(card), self._terminal, self._sequences)

    def load_mac2(self, card: CardKeys, load: Load, mac1: bytes, *, deadline: float) -> bytes | None:  # noqa: ARG002
        """Check MAC1 and return MAC2, as MoneyService says."""
        session = money.load_session(card.algorithm, self._key(card), load.random, load.sequence)
        right = money.load_mac1(card.algorithm, session, load.balance, load.amount, load.terminal)
        if not hmac.compare_digest(right, mac1):
            return None
        return money.load_mac2(card.algorithm, session, load.amount, load.terminal, load.time)

    def purchase_tac_right(
        self,
        card: CardKeys,
        purchase: Purchase,
        terminal: bytes,
        sequence: int,
        tac: bytes,
        *,
        deadline: float,  # noqa: ARG002
    ) -> bool | None:
        """Judge a certificate, as MoneyService says."""
        key = self._key(card)
        right = money.purchase_tac(card.algorithm, key, purchase.amounts, terminal, sequence, purchase.time)
        return hmac.compare_digest(right, tac)

    def load_tac_right(self, card: CardKeys, load: Load, tac: bytes, *, deadline: float) -> bool | None:  # noqa: ARG002
        """Judge a certificate, as MoneyService says."""
        key = self._key(card)
        right = (
            money.load_tac(card.algorithm, key, balance, load.sequence, load.amount, load.terminal, load.time)
            for balance in load.certified
        )
        return any(hmac.compare_digest(one, tac) for one in right)

    def purchase_mac2_right(
        self,
        card: CardKeys,
        purchase: Purchase,
        sequence: int,
        mac2: bytes,
        *,
        deadline: float,  # noqa: ARG002
    ) -> bool | None:
        """Judge MAC2, as MoneyService says."""
        return hmac.compare_digest(_mac2(card, self._key(card), purchase, sequence), mac2)

    def _key(self, card: CardKeys) -> bytes:
        return diversify_all(card.algorithm, self._root.reveal(), card.factors.chain)


class SoftwareTill:
    """One purchase."""

    def __init__(self, card: CardKeys, key: bytes, terminal: bytes, sequences: Iterator[int]) -> None:
        self.terminal = terminal
        self._card = card
        self._key = key
        self._sequences = sequences
        self._mac2 = b""

    def sign(self, purchase: Purchase) -> Signature:
        """Return sequence and MAC1."""
        sequence, algorithm = next(self._sequences), self._card.algorithm
        session = money.purchase_session(algorithm, self._key, purchase.random, purchase.sequence, sequence)
        self._mac2 = _mac2(self._card, self._key, purchase, sequence)
        mac1 = money.purchase_mac1(algorithm, session, purchase.amounts, self.terminal, purchase.time)
        return Signature(sequence, mac1)

    def confirms(self, mac2: bytes) -> bool:
        """Compare MAC2."""
        return bool(self._mac2) and hmac.compare_digest(self._mac2, mac2)


def _mac2(card: CardKeys, key: bytes, purchase: Purchase, sequence: int) -> bytes:
    session = money.purchase_session(card.algorithm, key, purchase.random, purchase.sequence, sequence)
    return money.purchase_mac2(card.algorithm, session, purchase.amounts)
