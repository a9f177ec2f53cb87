"""Sealing of stored personal data with SM4 (GB/T 32907) in Galois counter mode.

Sealed bytes are one byte that names the algorithm, the nonce, the ciphertext and the tag. The nonce is random, so one
key serves for 2^32 seals at most: some three hundred years of one event a second.
"""

import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.sealing import Sealer as Sealer  # noqa: PLC0414 - this is where a reader looks for it
from cardd.base.secret import Secret

KEY_LENGTH: Final = 16
_SM4_GCM: Final = b"\x01"
_NONCE: Final = 12
_TAG: Final = 16


class Sm4GcmSealer:
    """Seals with SM4-GCM. The context is authenticated with the text and not stored."""

    def __init__(self, key: Secret) -> None:
        if len(key) != KEY_LENGTH:
            raise CarddError(Reason.INVALID, f"a sealing key has {KEY_LENGTH} bytes, this one {len(key)}")
        self._key = key

    def seal(self, plaintext: bytes, context: bytes) -> bytes:
        """Return algorithm (1), nonce (12), ciphertext (as long as the text), tag (16)."""
        nonce = secrets.token_bytes(_NONCE)
        encryptor = Cipher(algorithms.SM4(self._key.reveal()), modes.GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(context)
        ciphertext = encryptor.update(plaintext) + encryptor.finalize()
        return _SM4_GCM + nonce + ciphertext + encryptor.tag

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Return the text. Raises CarddError INVALID for another key or context, or a byte that was changed."""
        if sealed[:1] != _SM4_GCM or len(sealed) < 1 + _NONCE + _TAG:
            raise CarddError(Reason.INVALID, "these are no bytes sealed with SM4-GCM")
        nonce, ciphertext, tag = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE : -_TAG], sealed[-_TAG:]
        decryptor = Cipher(algorithms.SM4(self._key.reveal()), modes.GCM(nonce, tag)).decryptor()
        decryptor.authenticate_additional_data(context)
        try:
            return decryptor.update(ciphertext) + decryptor.finalize()
        except InvalidTag:
            raise CarddError(Reason.INVALID, "sealed bytes do not open: another key or context, or changed") from None
