"""Generations of the card and how a card tells its own (LD/T 32.6 8.1)."""

from enum import StrEnum

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason


class Generation(StrEnum):
    """Generations of the card, as clients see them."""

    V1 = "1.0"
    V2 = "2.0"
    V3 = "3.0"


def generation_of(version: bytes) -> Generation:
    """Tell the generation from the version string of EF05 tag 03, raw as the card gives it.

    Only the first three characters count, empty means 1.0, and the digits after the point number revisions. Raises
    CarddError(CARD_UNKNOWN) for a version that the rule does not know.
    """
    text = version.rstrip(b"\x00\xff ")[:3]
    if not text:
        return Generation.V1
    for generation in Generation:
        major = generation.value[:2].encode()
        if text.startswith(major) and text[2:].isdigit():
            return generation
    raise CarddError(Reason.CARD_UNKNOWN, "the card's specification version is none that is known")
