"""Secure messaging of maintenance commands: cipher and MAC under a session key of the STK (LD/T 32.4 8.2, 8.3)."""

from typing import Final

from cardd.crypto.block import Algorithm, block_size, cbc_last_block, decrypt, encrypt

MAC: Final = 4
_MAX_PLAINTEXT: Final = 255
_PAD: Final = b"\x80"


def encipher(algorithm: Algorithm, session: bytes, plaintext: bytes) -> bytes:
    """Encipher up to 255 bytes: their length in front, 80 00 … behind unless the blocks are full already.

    Raises CarddError(ALGORITHM_UNSUPPORTED) for SSF33, ValueError for wrong lengths.
    """
    return encrypt(algorithm, session, plain_blocks(algorithm, plaintext))


def plain_blocks(algorithm: Algorithm, plaintext: bytes) -> bytes:
    """Return the whole blocks that `encipher` enciphers, for whoever has the cipher and not the padding (a PSAM).

    Raises ValueError for a plaintext that is too long.
    """
    if len(plaintext) > _MAX_PLAINTEXT:
        raise ValueError(f"{len(plaintext)} bytes do not fit a length byte")
    block = bytes((len(plaintext),)) + plaintext
    return _padded(algorithm, block) if len(block) % block_size(algorithm) else block


def decipher(algorithm: Algorithm, session: bytes, ciphertext: bytes) -> bytes:
    """Undo `encipher`. Raises ValueError where length byte or padding are not as `encipher` writes them."""
    block = decrypt(algorithm, session, ciphertext)
    if not block:
        raise ValueError("no blocks to decipher")
    end = 1 + block[0]
    plaintext, padding = block[1:end], block[end:]
    expected = _padded(algorithm, block[:end])[end:] if end % block_size(algorithm) else b""
    if end > len(block) or padding != expected:
        raise ValueError("length byte or padding of the deciphered block are wrong")
    return plaintext


def mac(algorithm: Algorithm, session: bytes, data: bytes) -> bytes:
    """Compute the MAC, 4 bytes, over `data`: for commands CLA INS P1 P2 Lc (counting the MAC) and the cipher if any.

    Always padded with 80 00 …; CBC from a zero IV. 8-byte blocks: the first four bytes of the last block; 16-byte
    blocks: its four words XORed. Raises CarddError(ALGORITHM_UNSUPPORTED) for SSF33, ValueError for wrong lengths.
    """
    return shortened(algorithm, cbc_last_block(algorithm, session, mac_blocks(algorithm, data)))


def shortened(algorithm: Algorithm, last: bytes) -> bytes:
    """Make a MAC of the last block of a chain."""
    if algorithm is Algorithm.DES:
        return last[:MAC]
    word = 0
    for at in range(0, len(last), MAC):
        word ^= int.from_bytes(last[at : at + MAC], "big")
    return word.to_bytes(MAC, "big")


def mac_blocks(algorithm: Algorithm, data: bytes) -> bytes:
    """Return the whole blocks that `mac` chains, for whoever has the cipher and not the padding (a PSAM)."""
    return _padded(algorithm, data)


def mac_input(header: bytes, data: bytes) -> bytes:
    """Return what the MAC of a command covers: CLA INS P1 P2, Lc with the MAC counted, cipher or plain data if any."""
    return header + bytes((len(data) + MAC,)) + data


def _padded(algorithm: Algorithm, data: bytes) -> bytes:
    size = block_size(algorithm)
    data += _PAD
    return data + bytes(-len(data) % size)
