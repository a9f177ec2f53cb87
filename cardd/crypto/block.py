"""The block ciphers of the card: DES and two-key 3DES, SM4 (GB/T 32907), both in ECB."""

import threading
from enum import IntEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, CipherAlgorithm, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason


class Algorithm(IntEnum):
    """The card's symmetric algorithm, numbered as tag 86 of the answer to SELECT numbers it (LD/T 32.5, table 36)."""

    DES = 1
    SSF33 = 2
    SM4 = 3


_BLOCK: Final = MappingProxyType({Algorithm.DES: 8, Algorithm.SSF33: 16, Algorithm.SM4: 16})
_KEY_LENGTHS: Final = MappingProxyType({Algorithm.DES: (8, 16), Algorithm.SM4: (16,)})
# Keys of a card under test and of its roots; a session key must not push them out, so it is never kept.
_KEPT: Final = 64


def block_size(algorithm: Algorithm) -> int:
    """Return the bytes of one block: 8 or 16."""
    return _BLOCK[algorithm]


def encrypt(algorithm: Algorithm, key: bytes, data: bytes) -> bytes:
    """Encrypt whole blocks in ECB.

    DES: an 8-byte key is single DES, a 16-byte key two-key 3DES (encrypt, decrypt, encrypt). SM4: a 16-byte key.
    Raises CarddError(ALGORITHM_UNSUPPORTED) for SSF33, whose design is not public, and ValueError for other lengths.
    """
    return _ecb(algorithm, key).encryptor().update(_whole(algorithm, data))


def decrypt(algorithm: Algorithm, key: bytes, data: bytes) -> bytes:
    """Undo `encrypt`; same keys, same errors."""
    return _ecb(algorithm, key).decryptor().update(_whole(algorithm, data))


def encrypt_kept(algorithm: Algorithm, key: bytes, data: bytes) -> bytes:
    """Encrypt as `encrypt` does, and keep the prepared key in memory for the next time.

    For keys that are used again and again (roots, card keys). A reader that works with a PSAM has none of these.
    """
    # Whole blocks in ECB leave nothing behind in a context: it serves any number of times.
    return _kept.encryptor(algorithm, key).update(_whole(algorithm, data))


def cbc_last_block(algorithm: Algorithm, key: bytes, data: bytes) -> bytes:
    """Encrypt whole blocks in CBC with a zero IV and return the last block. Raises as `encrypt` does."""
    size = block_size(algorithm)
    if not data:
        raise ValueError("no data to chain")
    cipher = Cipher(_prepared(algorithm, key), CBC(bytes(size)))
    return cipher.encryptor().update(_whole(algorithm, data))[-size:]


def _ecb(algorithm: Algorithm, key: bytes) -> Cipher[ECB]:
    return Cipher(_prepared(algorithm, key), ECB())  # noqa: S305 - the rule says ECB


def _encryptor(algorithm: Algorithm, key: bytes) -> CipherContext:
    return _ecb(algorithm, key).encryptor()


class _Kept(threading.local):
    """One thread's prepared keys. A context in use refuses a second thread, so no two share one."""

    def __init__(self) -> None:
        self.encryptor = lru_cache(maxsize=_KEPT)(_encryptor)


_kept: Final = _Kept()


def _prepared(algorithm: Algorithm, key: bytes) -> CipherAlgorithm:
    lengths = _KEY_LENGTHS.get(algorithm)
    if lengths is None:
        raise CarddError(Reason.ALGORITHM_UNSUPPORTED, f"{algorithm.name} is not published, it cannot be computed here")
    if len(key) not in lengths:
        raise ValueError(f"a {algorithm.name} key of {len(key)} bytes")
    if algorithm is Algorithm.SM4:
        return SM4(key)
    # The library takes three keys only: K K K is single DES, K1 K2 K1 two-key 3DES.
    return TripleDES(key * 3 if len(key) == 8 else key + key[:8])  # noqa: PLR2004 - DES keys are 8 bytes


def _whole(algorithm: Algorithm, data: bytes) -> bytes:
    if len(data) % _BLOCK[algorithm]:
        raise ValueError(f"{len(data)} bytes are no whole blocks of {algorithm.name}")
    return data
