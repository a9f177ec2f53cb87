"""Tell what card this is, harming none.

Internal authentication is the only cryptography here: external authentication has a counter that kills cards.
"""

from cardd.base.masks import mask_number
from cardd.base.secret import Personal
from cardd.cards import medical, psam
from cardd.desk.reading import Identity
from cardd.desk.refusals import refusals
from cardd.desk.social import open_social, prove
from cardd.desk.via import via_of
from cardd.iso7816.channel import Channel
from cardd.keys.service import KeyService
from cardd.readers.insertion import Insertion
from cardd.wire.cards import Kind


def identify(channel: Channel, insertion: Insertion, keys: KeyService | None, deadline: float) -> Identity:
    """Recognise a card and have it prove itself where it can (LD/T 32.5, internal authentication).

    The social environment is tried first: beside it a card may have a bank environment, and old medical cards bear the
    bank's name. `deadline` (monotonic seconds) bounds the key service.

    Raises CarddError: CARD_BLOCKED, CARD_ID_MALFORMED, CARD_UNKNOWN (a generation that is not known), STATUS_WORD, and
    what the channel raises. A card that is none of ours is no error: its kind says so.
    """
    with refusals():
        card = open_social(channel, insertion)
        return other_card(channel, insertion) if card is None else prove(card, keys, deadline)


def other_card(channel: Channel, insertion: Insertion) -> Identity:
    """Recognise a card that is no social security card."""
    via = via_of(insertion.atr)
    if psam.recognise(channel):
        return Identity(Kind.PSAM, via)
    if medical.select_root(channel):
        stored = medical.read_number_file(channel)
        return Identity(Kind.BANK, via) if stored is None else _medical(insertion, stored)
    if medical.select_contactless_root(channel):
        return Identity(Kind.BANK, via)
    return Identity(Kind.UNKNOWN, via)


def _medical(insertion: Insertion, stored: bytes) -> Identity:
    number = medical.card_number(stored)
    return Identity(
        Kind.MEDICAL_INSURANCE,
        via_of(insertion.atr),
        number=None if number is None else Personal(number, mask_number),
    )
