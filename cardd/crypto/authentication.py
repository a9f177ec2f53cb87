"""The eight bytes by which card and terminal prove themselves to each other (LD/T 32.4 9.3)."""

from typing import Final

from cardd.crypto.block import Algorithm, block_size, encrypt
from cardd.crypto.derive import session_key

ORIGINAL: Final = 8
_HALF: Final = 8


def authentication_data(algorithm: Algorithm, key: bytes, process_factor: bytes, original: bytes) -> bytes:
    """Compute authentication data, 8 bytes, for internal and external authentication alike.

    `key` is the card's own (already diversified) key, `process_factor` the challenge (4 or 8 bytes, for 16-byte ciphers
    also 16), `original` the 8 bytes of original data.

    Raises CarddError(ALGORITHM_UNSUPPORTED) for SSF33, ValueError for wrong lengths.
    """
    session = session_key(algorithm, key, process_factor)
    return fold(encrypt(algorithm, session, original_block(algorithm, original)))


def original_block(algorithm: Algorithm, original: bytes) -> bytes:
    """Pad 8 bytes of original data with 00 to a block, as they are enciphered. Raises ValueError for other lengths."""
    if len(original) != ORIGINAL:
        raise ValueError(f"original data of {len(original)} bytes, not {ORIGINAL}")
    return original.ljust(block_size(algorithm), b"\x00")


def fold(cryptogram: bytes) -> bytes:
    """Make authentication data of a cryptogram: 8 bytes stay, of 16 bytes the halves are XORed.

    A PSAM leaves this last step to the terminal for 16-byte ciphers.
    """
    if len(cryptogram) == _HALF:
        return cryptogram
    if len(cryptogram) != 2 * _HALF:
        raise ValueError(f"a cryptogram of {len(cryptogram)} bytes")
    left, right = int.from_bytes(cryptogram[:_HALF], "big"), int.from_bytes(cryptogram[_HALF:], "big")
    return (left ^ right).to_bytes(_HALF, "big")
