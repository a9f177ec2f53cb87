"""A card on the contacts and in the field of one device at once: it is seen in two readers, and is one card."""

from collections.abc import Callable, Sequence

from cardd.desk.reading import Identity, Via
from cardd.readers.facts import ReaderStatus
from cardd.readers.insertion import Insertion


class UndecidedError(Exception):
    """Not all cards in the device are identified as yet."""


def one_card(inside: Sequence[ReaderStatus], identity_of: Callable[[str], Identity | None]) -> Insertion | None:
    """Return the insertion that stands for the one card in these readers, its contacts first; None if they are several.

    Readers of several devices hold several cards, whatever is said of them. Two halves of one device hold one card if
    both show the same identification code. Raises UndecidedError while that is not known.
    """
    insertions = [status.insertion for status in inside if status.insertion is not None]
    if len(insertions) == 1:
        return insertions[0]
    if len({status.device for status in inside}) != 1:
        return None
    found = {insertion.id: identity_of(insertion.id) for insertion in insertions}
    known = [identity for identity in found.values() if identity is not None]
    if len(known) < len(insertions):
        raise UndecidedError
    if known[0].identification_code is None or not all(known[0].same_card(other) for other in known):
        return None
    contact = [one for one, identity in zip(insertions, known, strict=True) if identity.via is Via.CONTACT]
    return contact[0] if len(contact) == 1 else None
