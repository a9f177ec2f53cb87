"""Stored bytes of the environment's files as typed values, personal ones with their masks."""

from collections.abc import Callable, Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from cardd.base.masks import mask_all, mask_citizen_number, mask_name, mask_number
from cardd.base.secret import Personal
from cardd.cards.records import Stored
from cardd.desk.reading import CardValue, HolderData, IssuerData, Unreadable
from cardd.rules import values
from cardd.rules.content import Fields, Value
from cardd.rules.files import EF05, EF06, EF1E, FileRule
from cardd.rules.items import NO_TAG, Form, Item


class Tag(IntEnum):
    """Items of EF05 and EF06 that the desk itself must know (LD/T 32.6)."""

    IDENTIFICATION_CODE = 0x01
    CARD_CLASS = 0x02
    VERSION = 0x03
    ORGANISATION = 0x04
    ISSUE_DATE = 0x05
    VALID_UNTIL = 0x06
    CARD_NUMBER = 0x07
    SOCIAL_SECURITY_NUMBER = 0x08
    NAME = 0x09
    SEX = 0x0A
    ETHNIC_GROUP = 0x0B
    BIRTHPLACE = 0x0C
    BIRTH_DATE = 0x0D
    NAME_EXTENSION = 0x4E


Mask = Callable[[str], str]

MASKS: Final[Mapping[int, Mask]] = MappingProxyType(
    {
        Tag.IDENTIFICATION_CODE: mask_number,
        Tag.CARD_NUMBER: mask_number,
        Tag.SOCIAL_SECURITY_NUMBER: mask_citizen_number,
        Tag.NAME: mask_name,
        Tag.NAME_EXTENSION: mask_name,
        Tag.SEX: mask_all,
        Tag.ETHNIC_GROUP: mask_all,
        Tag.BIRTHPLACE: mask_all,
        Tag.BIRTH_DATE: mask_all,
    }
)
"""How the environment's items look to those who may not see them whole; what is not here is not personal."""

_APPLICATION_MASKS: Final[Mapping[tuple[str, int], Mask]] = MappingProxyType(
    {
        ("DF01", 0x2C): mask_name,
        ("DF02", 0x55): mask_number,
        ("DF04", 0x87): mask_number,
        ("DF04", 0x8A): mask_number,
        ("DF04", 0x8B): mask_number,
    }
)

_PUBLIC: Final = frozenset({EF1E.address})
"""Files that say nothing about a person, whatever stands in them."""

StoredItems = Mapping[int, Stored | None]


def value_of(item: Item, stored: Stored | None) -> CardValue:
    """Return one item's value; what does not follow its rule keeps its bytes and says why."""
    if stored is None:
        return None
    mask = MASKS.get(item.tag)
    try:
        text = values.decode(item, _sound(stored))
        if text is not None and item.form is Form.DATE:
            text = values.iso_date(text)
    except values.ValueFault as fault:
        return Unreadable(stored.raw, str(fault), personal=mask is not None)
    return text if text is None or mask is None else Personal(text, mask)


def mask_of(file: FileRule, tag: int = NO_TAG) -> Mask | None:
    """Return how an item looks to those who may not see it whole, None for what says nothing about a person.

    In the environment's record files each item is known; of the applications everything is a person's, and shows
    nothing unless it is a name or a number.
    """
    if file.address in _PUBLIC:
        return None
    if file.address in {EF05.address, EF06.address}:
        return MASKS.get(tag)
    return _APPLICATION_MASKS.get((file.application, tag), mask_all)


def typed(value: Value | Fields, mask: Mask | None) -> CardValue:
    """Return a value or a cyclic file's record as clients get it."""
    if value.fault is not None:
        return Unreadable(value.raw, value.fault, personal=mask is not None)
    text = value.text
    if text is not None and isinstance(value, Value) and value.item.form is Form.DATE:
        text = values.iso_date(text)
    return text if text is None or mask is None else Personal(text, mask)


def file_values(file: FileRule, stored: StoredItems) -> dict[int, CardValue]:
    """Return the values of a file's items by tag."""
    return {item.tag: value_of(item, stored.get(item.tag)) for item in file.items}


def issuer_of(stored: StoredItems, region: str) -> IssuerData:
    """Return EF05 as a whole."""
    found = file_values(EF05, stored)
    return IssuerData(
        identification_code=found[Tag.IDENTIFICATION_CODE],
        card_class=found[Tag.CARD_CLASS],
        specification_version=found[Tag.VERSION],
        initialising_organisation=found[Tag.ORGANISATION],
        issue_date=found[Tag.ISSUE_DATE],
        valid_until=found[Tag.VALID_UNTIL],
        card_number=found[Tag.CARD_NUMBER],
        region=region,
    )


def holder_of(stored: StoredItems) -> HolderData:
    """Return EF06 as a whole, the name's two parts joined before they are decoded: a character may lie across."""
    found = file_values(EF06, stored)
    return HolderData(
        social_security_number=found[Tag.SOCIAL_SECURITY_NUMBER],
        name=_name(stored),
        sex=found[Tag.SEX],
        ethnic_group=found[Tag.ETHNIC_GROUP],
        birthplace=found[Tag.BIRTHPLACE],
        birth_date=found[Tag.BIRTH_DATE],
    )


def _name(stored: StoredItems) -> CardValue:
    first, more = stored.get(Tag.NAME), stored.get(Tag.NAME_EXTENSION)
    if first is None:
        return None
    try:
        text = values.join_name(_sound(first), _sound(more) if more else None)
    except values.ValueFault as fault:
        return Unreadable(first.raw + (more.raw if more else b""), str(fault), personal=True)
    return None if text is None else Personal(text, mask_name)


def _sound(stored: Stored) -> bytes:
    if stored.fault:
        raise values.ValueFault(stored.fault)
    return stored.raw
