"""SM3 (GB/T 32905) and the keyed digest over it."""

from cryptography.hazmat.primitives import hashes, hmac


def sm3(data: bytes) -> bytes:
    """Return the 32 bytes of SM3 (GB/T 32905)."""
    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize()


def hmac_sm3(key: bytes, data: bytes) -> bytes:
    """Return the 32 bytes of HMAC (GB/T 15852.2, RFC 2104) with SM3."""
    code = hmac.HMAC(key, hashes.SM3())
    code.update(data)
    return code.finalize()
