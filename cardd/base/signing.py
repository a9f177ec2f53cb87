"""What vouches for the journal's heads: the protocols alone, so that the algorithm stays a configuration."""

from typing import Protocol


class Signer(Protocol):
    """Signs short statements under a key that it keeps to itself."""

    @property
    def algorithm(self) -> str:
        """The algorithm's name: `ed25519`, `sm2`."""

    @property
    def public(self) -> bytes:
        """The key with which anybody can check its signatures."""

    def sign(self, statement: bytes) -> bytes:
        """Return the signature."""


class Verify(Protocol):
    """Checks signatures of any algorithm that a Signer has."""

    def __call__(self, algorithm: str, public: bytes, statement: bytes, signature: bytes) -> bool:
        """Tell whether a signature is right. Raises CarddError INVALID where the algorithm is not known here."""
