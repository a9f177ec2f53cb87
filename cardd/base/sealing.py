"""What seals personal data before they are stored: the protocol alone, so that the algorithm stays a configuration."""

from typing import Protocol


class Sealer(Protocol):
    """Encrypts and authenticates small texts under a key that it keeps to itself."""

    def seal(self, plaintext: bytes, context: bytes) -> bytes:
        """Return the sealed bytes; only the same context opens them."""

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Return the plaintext. Raises CarddError INVALID for another key or context, or a byte that was changed."""
