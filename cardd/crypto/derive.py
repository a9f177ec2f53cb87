"""From an issuer's root to the key of one card, and from that to the key of one session (LD/T 32.4 8.4)."""

from collections.abc import Iterable
from types import MappingProxyType
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Struct
from cardd.crypto.block import Algorithm, block_size, encrypt_kept

FACTOR: Final = 8
HISTORICAL: Final = 13
_CARD_PART: Final = slice(5, 13)
_OLDER_SKIPS: Final = 2
_REGION: Final = 6
_ZHEJIANG: Final = "33"
_SINGLE_DES: Final = 8
_RANDOM_LENGTHS: Final = MappingProxyType({8: (4, 8), 16: (4, 8, 16)})
_COMPLEMENT: Final = bytes(range(255, -1, -1))


class Factors(Struct, frozen=True):
    """What makes a root into one card's key: three factors of 8 bytes, outermost level first."""

    province: bytes
    city: bytes
    card: bytes

    @property
    def chain(self) -> tuple[bytes, bytes, bytes]:
        """Return province, city, card: the order of diversification from a national root."""
        return (self.province, self.city, self.card)

    @property
    def older(self) -> "Factors":
        """Return them as some cards have them: the card's is bytes 8 to 13 of the historical ones, then 00 00."""
        return Factors(self.province, self.city, self.card[_OLDER_SKIPS:].ljust(FACTOR, b"\x00"))


def factors(region: str, historical: bytes) -> Factors:
    """Build the factors of a card from its own data (LD/T 32.9 7.3).

    `region` is the six digits of the card identification code, never the terminal's. `historical` are the 13
    historical bytes of the answer to reset; the factor is bytes 6 to 13. City codes of Zhejiang (33) keep four digits.

    Raises CarddError(CARD_ID_MALFORMED).
    """
    if len(region) != _REGION or not (region.isascii() and region.isdigit()):
        raise CarddError(Reason.CARD_ID_MALFORMED, "the region code is not six digits")
    if len(historical) != HISTORICAL:
        raise CarddError(
            Reason.CARD_ID_MALFORMED, f"{len(historical)} historical bytes in the answer to reset, not {HISTORICAL}"
        )
    city = region[:4] + "00" if region.startswith(_ZHEJIANG) else region
    return Factors(f"{region[:2]}0000sh".encode(), f"{city}sx".encode(), historical[_CARD_PART])


def diversify(algorithm: Algorithm, key: bytes, factor: bytes) -> bytes:
    """Derive the key one level below: as long as `key`, from a factor of 8 bytes. No parity is adjusted.

    Raises CarddError(ALGORITHM_UNSUPPORTED) for SSF33, ValueError for wrong lengths.
    """
    if len(factor) != FACTOR:
        raise ValueError(f"a diversification factor of {len(factor)} bytes, not {FACTOR}")
    if algorithm is Algorithm.DES and len(key) == _SINGLE_DES:
        return encrypt_kept(algorithm, key, factor)
    # Whole blocks in ECB: for 8-byte blocks this is E(f) with E(~f) beside it, for 16-byte blocks E(f with ~f).
    return encrypt_kept(algorithm, key, factor + factor.translate(_COMPLEMENT))


def diversify_all(algorithm: Algorithm, key: bytes, chain: Iterable[bytes]) -> bytes:
    """Derive level after level, as from a root with `Factors.chain`. Raises as `diversify` does."""
    for factor in chain:
        key = diversify(algorithm, key, factor)
    return key


def session_key(algorithm: Algorithm, key: bytes, random: bytes) -> bytes:
    """Derive a session key: one block, 8 bytes (single DES from here on) or 16.

    `random` is 4 or 8 bytes, for 16-byte ciphers also 16; it is padded with 00. Raises CarddError and ValueError as
    `diversify` does.
    """
    size = block_size(algorithm)
    if len(random) not in _RANDOM_LENGTHS[size]:
        raise ValueError(f"{len(random)} random bytes for a session key of {algorithm.name}")
    return encrypt_kept(algorithm, key, random.ljust(size, b"\x00"))
