"""Tell what card this is, harming none.

Internal authentication is the only cryptography here: external authentication has a counter that kills cards.
"""

from collections.abc import Callable

from cardd.base.masks import mask_citizen_number, mask_name, mask_number
from cardd.base.secret import Personal
from cardd.cards import bank, medical, memory, psam
from cardd.desk.reading import HolderData, Identity
from cardd.desk.refusals import refusals
from cardd.desk.social import open_social, prove
from cardd.desk.via import via_of
from cardd.iso7816.channel import Channel
from cardd.keys.service import KeyService
from cardd.readers.insertion import Insertion
from cardd.rules.old_cards import Chip, OldCard, end_of, read_old_card
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
    old = _memory_card(channel, insertion)
    if old is not None:
        return old
    if psam.recognise(channel):
        return Identity(Kind.PSAM, via)
    if medical.select_root(channel):
        stored = medical.read_number_file(channel)
        return _bank(channel, insertion) if stored is None else _old(insertion, read_old_card(Chip.CPU, stored))
    if medical.select_contactless_root(channel):
        return _bank(channel, insertion)
    number = bank_number(channel)
    return Identity(Kind.UNKNOWN, via) if number is None else Identity(Kind.BANK, via, number=number)


def bank_number(channel: Channel) -> Personal | None:
    """Return the number of the account card, found by the debit application's identifier; None where there is none."""
    number = bank.read_number(channel)
    return None if number is None else Personal(number, mask_number)


def _bank(channel: Channel, insertion: Insertion) -> Identity:
    return Identity(Kind.BANK, via_of(insertion.atr), number=bank_number(channel))


def _memory_card(channel: Channel, insertion: Insertion) -> Identity | None:
    """Recognise a memory card and read it by whatever layout it is written in; None for every other card."""
    family = memory.family_of(insertion.pcsc_name or insertion.reader)
    chip = None if family is None else memory.choose_chip(channel, family, insertion.atr)
    if family is None or chip is None:
        return None
    stored = memory.read_memory(channel, family, end_of(chip))
    return _old(insertion, None if stored is None else read_old_card(chip, stored))


def _old(insertion: Insertion, card: OldCard | None) -> Identity:
    """Return an old card; one whose number cannot be read is an old card all the same."""
    via = via_of(insertion.atr)
    if card is None:
        return Identity(Kind.MEDICAL_INSURANCE, via)
    number = Personal(card.number, mask_number)
    return Identity(Kind.MEDICAL_INSURANCE, via, number=number, holder=_holder(card), layout=card.layout)


def _holder(card: OldCard) -> HolderData | None:
    if card.identity_number is None and card.name is None:
        return None
    return HolderData(
        social_security_number=_personal(card.identity_number, mask_citizen_number),
        name=_personal(card.name, mask_name),
        sex=None,
        ethnic_group=None,
        birthplace=None,
        birth_date=None,
    )


def _personal(text: str | None, mask: Callable[[str], str]) -> Personal | None:
    return None if text is None else Personal(text, mask)
