"""Sealing of stored personal data in Galois counter mode: SM4 (GB/T 32907), or AES-256 where SM4 is not wanted.

Sealed bytes are one byte that names the algorithm, the nonce, the ciphertext and the tag. So a change of algorithm is a
configuration: whatever was sealed before still opens. The nonce is random, so one key serves for 2^32 seals at most:
some three hundred years of one event a second.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher, algorithms, modes

from cardd.base.chance import Chance
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.sealing import Sealer as Sealer  # noqa: PLC0414 - this is where a reader looks for it
from cardd.base.secret import Secret
from cardd.crypto.digest import hmac_sm3

KEY_LENGTH: Final = 16
SM4_GCM: Final = "sm4-gcm"
AES_256_GCM: Final = "aes-256-gcm"

_NONCE: Final = 12
_TAG: Final = 16

_MARKS: Final[Mapping[str, bytes]] = MappingProxyType({SM4_GCM: b"\x01", AES_256_GCM: b"\x02"})
_CIPHERS: Final[Mapping[bytes, Callable[[bytes], BlockCipherAlgorithm]]] = MappingProxyType(
    {
        _MARKS[SM4_GCM]: algorithms.SM4,
        # a key of its own, so that no key serves two ciphers
        _MARKS[AES_256_GCM]: lambda key: algorithms.AES(hmac_sm3(key, b"cardd sealing aes-256-gcm\x00")),
    }
)


class _Checked(Cipher[modes.GCM]):
    """A cipher of which everything but the nonce was checked before: to check it anew is a sixth of a seal."""

    def __init__(self, algorithm: BlockCipherAlgorithm, mode: modes.GCM) -> None:
        self.algorithm = algorithm
        self.mode = mode


class GcmSealer:
    """Seals with one algorithm and opens what any of them sealed. The context is authenticated and not stored."""

    def __init__(self, algorithm: str, key: Secret) -> None:
        if len(key) != KEY_LENGTH:
            raise CarddError(Reason.INVALID, f"a sealing key has {KEY_LENGTH} bytes, this one {len(key)}")
        self._mark = _MARKS[algorithm]
        self._key = key
        self._cipher = _CIPHERS[self._mark](key.reveal())
        Cipher(self._cipher, modes.GCM(bytes(_NONCE)))
        self._chance = Chance()

    def seal(self, plaintext: bytes, context: bytes) -> bytes:
        """Return algorithm (1), nonce (12), ciphertext (as long as the text), tag (16)."""
        nonce = self._chance.take(_NONCE)
        encryptor = _Checked(self._cipher, modes.GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(context)
        ciphertext = encryptor.update(plaintext) + encryptor.finalize()
        return self._mark + nonce + ciphertext + encryptor.tag

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Return the text. Raises CarddError INVALID for another key or context, or a byte that was changed."""
        cipher = _CIPHERS.get(sealed[:1])
        if cipher is None or len(sealed) < 1 + _NONCE + _TAG:
            raise CarddError(Reason.INVALID, "these are no sealed bytes")
        nonce, ciphertext, tag = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE : -_TAG], sealed[-_TAG:]
        decryptor = Cipher(cipher(self._key.reveal()), modes.GCM(nonce, tag)).decryptor()
        decryptor.authenticate_additional_data(context)
        try:
            return decryptor.update(ciphertext) + decryptor.finalize()
        except InvalidTag:
            raise CarddError(Reason.INVALID, "sealed bytes do not open: another key or context, or changed") from None


class Sm4GcmSealer(GcmSealer):
    """Seals with SM4-GCM."""

    def __init__(self, key: Secret) -> None:
        super().__init__(SM4_GCM, key)
