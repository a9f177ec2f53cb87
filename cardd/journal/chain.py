"""The chain of digests that makes a changed, missing or inserted event visible.

Every event carries SM3(digest of the event before ‖ public bytes ‖ SM3(sealed bytes)). The two digests have 32 bytes
each, so the three parts cannot be confused. Sealed bytes go in by their digest only: they can be erased, and the chain
still verifies, without any key.
"""

from typing import Final

from cryptography.hazmat.primitives import hashes

LENGTH: Final = 32


# to copy one that was begun takes less than to look the algorithm up
_BEGUN: Final = hashes.Hash(hashes.SM3())


def digest(data: bytes) -> bytes:
    """Return SM3 (GB/T 32905), 32 bytes."""
    sm3 = _BEGUN.copy()
    sm3.update(data)
    return sm3.finalize()


NOTHING_SEALED: Final = digest(b"")


def genesis(stream: str) -> bytes:
    """Return what stands before the first event of a stream, so that no chain passes for another stream's."""
    return digest(b"cardd journal " + stream.encode())


def link(before: bytes, public: bytes, sealed_digest: bytes) -> bytes:
    """Return the digest of one event from the digest before it, its public bytes and SM3 of its sealed ones."""
    return digest(before + public + sealed_digest)
