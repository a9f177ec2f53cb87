"""What an item of the card is: its tag, how it is stored, what it is called."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from cardd.base.structs import Hidden, Struct

Codes = Mapping[str, str]
"""A value table: the code as it is stored, and what it means; empty where the sources print the code alone."""

NO_TAG: Final = 0
"""Stands for the tag of an item whose record has none: such items follow each other at fixed places."""


class ItemType(StrEnum):
    """How an item is stored (LD/T 32.6 7)."""

    CN = "cn"
    """Packed digits, left aligned, filled with nibble F."""

    AN = "an"
    """Characters, Chinese ones in GBK, filled with byte 00."""

    B = "b"
    """Binary, most significant byte first."""

    B_TLV = "B-TLV"
    """A chain of inner items, each with tag and length, all of them at full length."""


class Form(StrEnum):
    """What an item's content is, where its storage alone does not say how to show and check it."""

    PLAIN = "plain"
    IDENTIFIER = "identifier"
    """Whole bytes shown in hexadecimal, though the rule files them under cn."""

    DATE = "date"
    """Eight digits YYYYMMDD."""

    TIME = "time"
    """Fourteen digits YYYYMMDDHHMMSS."""

    HEAD = "head"
    """Characters of which only the first `length` count: some cards store more."""

    FEN = "fen"
    """Money as digits in fen, shown as the digits that are stored."""

    YUAN = "yuan"
    """Money as a binary number of fen, shown in yuan with two decimals."""


class Part(Struct, frozen=True):
    """Some characters of an item that mean something of their own. `length` in characters."""

    length: int
    en: str
    codes: Hidden[Codes | None] = None

    def __hash__(self) -> int:
        return hash((self.length, self.en))


class Item(Struct, frozen=True):
    """One item of a record file. `length` in bytes; `key` is the field's name for clients.

    `count` is how many records with this tag the rule provides, `inner` the items inside a B-TLV in their order,
    `codes` its value table where the rule prints one, `parts` what its characters mean one after the other.
    """

    tag: int
    key: str
    type: ItemType
    length: int
    en: str
    zh: str
    form: Form = Form.PLAIN
    count: int = 1
    inner: tuple["Item", ...] = ()
    codes: Hidden[Codes | None] = None
    parts: Hidden[tuple[Part, ...]] = ()

    def __hash__(self) -> int:
        return hash((self.tag, self.key))

    @property
    def record_length(self) -> int:
        """Return the bytes of one record of it: tag, length and value."""
        return self.length + 2

    def inner_item(self, tag: int) -> "Item | None":
        """Return the inner item with a tag, or None."""
        return next((item for item in self.inner if item.tag == tag), None)

    def meaning(self, text: str) -> str | None:
        """Return what a code means, None where the rule prints no meaning for it. Composed codes part by part."""
        if not self.parts:
            codes = self.codes or {}
            # a packed digit may be stored with a zero in front
            return codes.get(text) or codes.get(text.lstrip("0")) or None
        meanings = []
        for part in self.parts:
            code, text = text[: part.length], text[part.length :]
            meanings.append(f"{part.en}: {(part.codes or {}).get(code) or code}")
        return "; ".join(meanings)
