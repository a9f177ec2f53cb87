"""SM2 signatures with SM3 (GB/T 32918.2), through GmSSL, which the extra `sm2` installs.

A private key is 32 bytes, a public key 64 (x and y), a signature DER. What is digested first is the identity that
GB/T 35276 gives for want of another.
"""

from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret

_P: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
_N: Final = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
_G: Final = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
_BYTES: Final = 32

_Point = tuple[int, int] | None
"""Affine, None at infinity."""


def sign(key: Secret, public: bytes, statement: bytes) -> bytes:
    """Return the signature. Raises CarddError INVALID without the extra."""
    try:
        from gmssl_pyx import sm2_sign  # noqa: PLC0415 - an extra
    except ImportError:
        raise _absent() from None
    signature: bytes = sm2_sign(key.reveal(), public, statement)
    return signature


def verify(public: bytes, statement: bytes, signature: bytes) -> bool:
    """Tell whether a signature is right. Raises CarddError INVALID without the extra."""
    try:
        from gmssl_pyx import InvalidValueError, sm2_verify  # noqa: PLC0415 - an extra
    except ImportError:
        raise _absent() from None
    try:
        return bool(sm2_verify(public, statement, signature))
    except InvalidValueError:
        return False


def public_key(key: Secret) -> bytes:
    """Return the point of a private key, once at the start of a signer: GmSSL wants it and does not compute it.

    Raises CarddError INVALID for a number that is no private key of this curve (1 to n - 2).
    """
    number = int.from_bytes(key.reveal(), "big")
    if not 1 <= number <= _N - 2:
        raise CarddError(Reason.INVALID, "the signing key is no private key of SM2: make another one")
    # both steps for every bit: what is done does not depend on the key's bits
    low: _Point = None
    high: _Point = _G
    for bit in range(_N.bit_length() - 1, -1, -1):
        total = _add(low, high)
        low, high = (total, _add(high, high)) if number >> bit & 1 else (_add(low, low), total)
    if low is None:
        raise CarddError(Reason.INTERNAL, "a private key of SM2 led to no point")
    return low[0].to_bytes(_BYTES, "big") + low[1].to_bytes(_BYTES, "big")


def _add(one: _Point, other: _Point) -> _Point:
    if one is None or other is None:
        return other if one is None else one
    (x1, y1), (x2, y2) = one, other
    if x1 == x2 and (y1 + y2) % _P == 0:
        return None
    # a is -3 on this curve
    slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, _P) if one == other else (y2 - y1) * pow(x2 - x1, -1, _P)
    x = (slope * slope - x1 - x2) % _P
    return x, (slope * (x1 - x) - y1) % _P


def _absent() -> CarddError:
    return CarddError(Reason.INVALID, "SM2 needs the extra `sm2`: install cardd[sm2]")
