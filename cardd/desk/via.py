"""Which way a card is spoken to, told from its answer to reset."""

from typing import Final

from cardd.desk.reading import Via

# PC/SC part 3, 3.1.3.2.3: the reader itself makes this answer for a card on its antenna, 3B 8n 80 01 historical TCK
_CONTACTLESS: Final = bytes.fromhex("3B808001")
_HISTORICAL_COUNT: Final = bytes.fromhex("FFF0FFFF")


def via_of(atr: bytes) -> Via:
    """Return the way. Only who made the answer is read from it, never what the card is."""
    head = bytes(byte & mask for byte, mask in zip(atr, _HISTORICAL_COUNT, strict=False))
    return Via.CONTACTLESS if head == _CONTACTLESS else Via.CONTACT
