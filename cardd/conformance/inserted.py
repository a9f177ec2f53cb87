"""What a card that nobody knows beforehand tells of itself to everybody."""

from typing import Final

from cardd.base.errors import CarddError
from cardd.conformance.card import DONE, Card, Link
from cardd.conformance.subject import Subject, stranger
from cardd.crypto.block import Algorithm
from cardd.iso7816.tlv import TlvError, find
from cardd.rules.files import EF05
from cardd.rules.generations import Generation, generation_of
from cardd.rules.names import FCI_ALGORITHM, SSSE_NAME

_CODE, _VERSION = 0x01, 0x03
_HEAD: Final = 2


def introduce(link: Link, name: str) -> Subject | None:
    """Ask a card for its generation and algorithm, which needs no right; None for one that is no card of ours.

    A security module bears the environment's name too, and has no identification code. Raises CarddError(CARD_UNKNOWN)
    for a generation that is not known.
    """
    card = Card(stranger(name, Generation.V1, Algorithm.DES), link)
    answer = card.select_name(SSSE_NAME)
    if answer.sw != DONE or card.read_tag(EF05, _CODE).sw != DONE:
        return None
    version = card.read_tag(EF05, _VERSION)
    generation = generation_of(version.data[_HEAD:] if version.sw == DONE else b"")
    return stranger(name, generation, _algorithm(answer.data, generation))


def _algorithm(fci: bytes, generation: Generation) -> Algorithm:
    """Return what the card says that it computes with, else what is usual."""
    usual = Algorithm.SM4 if generation is Generation.V3 else Algorithm.DES
    try:
        told = find(fci, *FCI_ALGORITHM)
        return Algorithm(int.from_bytes(told, "big")) if told else usual
    except (TlvError, ValueError, CarddError):
        return usual
