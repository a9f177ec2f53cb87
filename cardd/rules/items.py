"""What an item of the card is: its tag, how it is stored, what it is called."""

from dataclasses import dataclass
from enum import StrEnum


class ItemType(StrEnum):
    """How an item is stored (LD/T 32.6 7)."""

    CN = "cn"
    """Packed digits, left aligned, filled with nibble F."""

    AN = "an"
    """Characters, Chinese ones in GBK, filled with byte 00."""

    B = "b"
    """Binary, most significant byte first."""


class Form(StrEnum):
    """What an item's content is, where its storage alone does not say how to show and check it."""

    PLAIN = "plain"
    IDENTIFIER = "identifier"
    """Whole bytes shown in hexadecimal, though the rule files them under cn."""

    DATE = "date"
    """Eight digits YYYYMMDD."""

    HEAD = "head"
    """Characters of which only the first `length` count: some cards store more."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a record file. `length` in bytes; `key` is the field's name for clients."""

    tag: int
    key: str
    type: ItemType
    length: int
    en: str
    zh: str
    form: Form = Form.PLAIN
