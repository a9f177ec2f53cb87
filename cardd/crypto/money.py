"""Session keys, MACs and transaction certificates of the medical account (LD/T 32.7 12).

The command's header is no part of what these cover; padding and chaining are those of secure messaging, IV zero.
"""

from typing import Final

from cardd.base.structs import Struct
from cardd.crypto.block import Algorithm
from cardd.crypto.derive import session_key
from cardd.crypto.messaging import mac

LOAD: Final = b"1"
PURCHASE: Final = b"2"
RANDOM: Final = 4
TERMINAL: Final = 6
TIME: Final = 7
_AMOUNT: Final = 4
_SEQUENCE: Final = 2
_TERMINAL_SEQUENCE: Final = 4
_DES_KEY: Final = 8
_LOAD_FILLER: Final = b"\x80\x00"


class Amounts(Struct, frozen=True):
    """The three parts of one settlement, each in fen, 0 to FFFFFFFF."""

    account: int
    self_paid: int = 0
    pool: int = 0

    def encode(self) -> bytes:
        """Return them as 12 bytes, in this order. Raises OverflowError for what has no place in 4 bytes."""
        return b"".join(_amount(part) for part in (self.account, self.self_paid, self.pool))

    @classmethod
    def decode(cls, raw: bytes) -> "Amounts":
        """Read 12 bytes. Raises ValueError for another length."""
        _check(raw, 3 * _AMOUNT, "amounts")
        return cls(*(int.from_bytes(raw[at : at + _AMOUNT], "big") for at in range(0, len(raw), _AMOUNT)))


def purchase_session(
    algorithm: Algorithm, debit_key: bytes, random: bytes, sequence: int, terminal_sequence: int
) -> bytes:
    """Derive SESPK, the session key of a purchase, from the card's DPK of the index that was chosen.

    `random` (4 bytes) and `sequence` (the card's own, before it counts on) are those of INITIALIZE FOR PURCHASE; of the
    terminal's sequence the last two bytes count. Raises CarddError(ALGORITHM_UNSUPPORTED), ValueError.
    """
    _check(random, RANDOM, "random number")
    last = terminal_sequence.to_bytes(_TERMINAL_SEQUENCE, "big")[-_SEQUENCE:]
    return session_key(algorithm, debit_key, random + _sequence(sequence) + last)


def load_session(algorithm: Algorithm, load_key: bytes, random: bytes, sequence: int) -> bytes:
    """Derive SESLK, the session key of a load, from the card's DLK; arguments and errors as `purchase_session`."""
    _check(random, RANDOM, "random number")
    return session_key(algorithm, load_key, random + _sequence(sequence) + _LOAD_FILLER)


def purchase_mac1(algorithm: Algorithm, session: bytes, amounts: Amounts, terminal: bytes, time: bytes) -> bytes:
    """Compute the terminal's MAC of a purchase, 4 bytes. `terminal` is 6 bytes, `time` 7, packed digits."""
    return mac(algorithm, session, amounts.encode() + PURCHASE + _place(terminal) + _moment(time))


def purchase_mac2(algorithm: Algorithm, session: bytes, amounts: Amounts) -> bytes:
    """Compute the card's MAC of a purchase, 4 bytes."""
    return mac(algorithm, session, amounts.encode())


def load_mac1(algorithm: Algorithm, session: bytes, balance: int, amount: int, terminal: bytes) -> bytes:
    """Compute the card's MAC of a load, 4 bytes; `balance` is the one before it."""
    return mac(algorithm, session, _amount(balance) + _amount(amount) + LOAD + _place(terminal))


def load_mac2(algorithm: Algorithm, session: bytes, amount: int, terminal: bytes, time: bytes) -> bytes:
    """Compute the host's MAC of a load, 4 bytes; `time` is the host's."""
    return mac(algorithm, session, _amount(amount) + LOAD + _place(terminal) + _moment(time))


def purchase_tac(
    algorithm: Algorithm, tac_key: bytes, amounts: Amounts, terminal: bytes, terminal_sequence: int, time: bytes
) -> bytes:
    """Compute the certificate of a purchase, 4 bytes, with the card's DTK."""
    sequence = terminal_sequence.to_bytes(_TERMINAL_SEQUENCE, "big")
    covered = amounts.encode() + PURCHASE + _place(terminal) + sequence + _moment(time)
    return mac(algorithm, certificate_key(algorithm, tac_key), covered)


def load_tac(
    algorithm: Algorithm, tac_key: bytes, balance: int, sequence: int, amount: int, terminal: bytes, time: bytes
) -> bytes:
    """Compute the certificate of a load, 4 bytes, with the card's DTK.

    `balance` is the one after the load: the rule does not say which, but computes the certificate after raising it.
    `sequence` is the one that INITIALIZE FOR LOAD answered.
    """
    covered = _amount(balance) + _sequence(sequence) + _amount(amount) + LOAD + _place(terminal) + _moment(time)
    return mac(algorithm, certificate_key(algorithm, tac_key), covered)


def certificate_key(algorithm: Algorithm, tac_key: bytes) -> bytes:
    """Return what a DTK of 16 bytes certifies with: DES its halves XORed, a 16-byte cipher the key itself."""
    if algorithm is not Algorithm.DES:
        return tac_key
    left, right = int.from_bytes(tac_key[:_DES_KEY], "big"), int.from_bytes(tac_key[_DES_KEY:], "big")
    return (left ^ right).to_bytes(_DES_KEY, "big")


def _amount(value: int) -> bytes:
    return value.to_bytes(_AMOUNT, "big")


def _sequence(value: int) -> bytes:
    return value.to_bytes(_SEQUENCE, "big")


def _place(terminal: bytes) -> bytes:
    return _check(terminal, TERMINAL, "terminal number")


def _moment(time: bytes) -> bytes:
    return _check(time, TIME, "time")


def _check(value: bytes, length: int, what: str) -> bytes:
    if len(value) != length:
        raise ValueError(f"{what} of {len(value)} bytes, not {length}")
    return value
