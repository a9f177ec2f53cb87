"""What keeps personal data out of sight: the protocols alone, so that the algorithm stays a configuration."""

from typing import Protocol


class Sealer(Protocol):
    """Encrypts and authenticates small texts under a key that it keeps to itself."""

    def seal(self, plaintext: bytes, context: bytes) -> bytes:
        """Return the sealed bytes; only the same context opens them."""

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Return the plaintext. Raises CarddError INVALID for another key or context, or a byte that was changed."""


class Tokens(Protocol):
    """Names persons and cards without saying who they are: the same one has the same token on this machine only."""

    def holder(self, social_security_number: str) -> str:
        """Return a person's token, 32 hexadecimal digits."""

    def card(self, number: str) -> str:
        """Return the token of a card by its number or its identification code, 32 hexadecimal digits."""
