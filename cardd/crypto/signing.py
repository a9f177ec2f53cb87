"""Signatures over the journal's heads: Ed25519 (RFC 8032), and SM2 with SM3 (GB/T 32918.2) where the extra is there.

A private key is 32 bytes, a public key 32 (Ed25519) or 64 (SM2: x and y), a signature 64 bytes or DER.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.base.signing import Signer
from cardd.crypto import sm2

KEY_LENGTH: Final = 32

ED25519: Final = "ed25519"
SM2: Final = "sm2"


class Ed25519Signer:
    """Signs with Ed25519."""

    algorithm: Final = ED25519

    def __init__(self, key: Secret) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(_checked(key).reveal())
        self.public = self._key.public_key().public_bytes_raw()

    def sign(self, statement: bytes) -> bytes:
        """Return the signature."""
        return self._key.sign(statement)


class Sm2Signer:
    """Signs with SM2. Raises CarddError INVALID without the extra, or for a key that is none."""

    algorithm: Final = SM2

    def __init__(self, key: Secret) -> None:
        self._key = _checked(key)
        self.public = sm2.public_key(key)
        # found out now, and not by the first commit
        self.sign(b"")

    def sign(self, statement: bytes) -> bytes:
        """Return the signature."""
        return sm2.sign(self._key, self.public, statement)


def signer(algorithm: str, key: Secret) -> Signer:
    """Return the signer of an algorithm. Raises CarddError INVALID for one that is not known or not installed."""
    make = _SIGNERS.get(algorithm)
    if make is None:
        raise _unknown(algorithm)
    return make(key)


def verify(algorithm: str, public: bytes, statement: bytes, signature: bytes) -> bool:
    """Tell whether a signature is right; a key or signature of another length is not.

    Raises CarddError INVALID for an algorithm that is not known or not installed.
    """
    check = _CHECKS.get(algorithm)
    if check is None:
        raise _unknown(algorithm)
    return check(public, statement, signature)


def _verify_ed25519(public: bytes, statement: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, statement)
    except (InvalidSignature, ValueError):
        return False
    return True


def _checked(key: Secret) -> Secret:
    if len(key) != KEY_LENGTH:
        raise CarddError(Reason.INVALID, f"a signing key has {KEY_LENGTH} bytes, this one {len(key)}")
    return key


def _unknown(algorithm: str) -> CarddError:
    return CarddError(Reason.INVALID, f"signatures with `{algorithm[:20]}` are not known here")


_SIGNERS: Final[Mapping[str, Callable[[Secret], Signer]]] = MappingProxyType({ED25519: Ed25519Signer, SM2: Sm2Signer})
_CHECKS: Final[Mapping[str, Callable[[bytes, bytes, bytes], bool]]] = MappingProxyType(
    {ED25519: _verify_ed25519, SM2: sm2.verify}
)
