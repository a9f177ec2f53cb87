"""What stands in a file of the card, value by value: nothing is lost, whatever rule it breaks.

A value keeps its raw bytes beside its text, so that it can be written back as it was; one that does not follow the rule
says why, and the rest is read.
"""

from collections.abc import Sequence
from typing import Final

from cardd.base.structs import Struct
from cardd.iso7816.tlv import Record, TlvError, parse_records
from cardd.rules.compatibility import has_old_meaning, item_of, old_item, unfilled
from cardd.rules.generations import Generation
from cardd.rules.items import NO_TAG, Item, ItemType
from cardd.rules.layout import FileRule
from cardd.rules.values import ValueFault, decode, encode, join_texts, split_texts

_UNKNOWN: Final = "unknown"


class Value(Struct, frozen=True):
    """One value as it is stored, and what it says.

    `text` is None where the item is not set, and where `fault` tells what rule it breaks. `inner` are the values inside
    a B-TLV in the card's order. `old` marks a value that is meant as in 1.0: `item` is then the old one. Its repr never
    tells the value: it may be a person's.
    """

    item: Item
    raw: bytes
    text: str | None
    fault: str | None = None
    inner: tuple["Value", ...] = ()
    old: bool = False

    def __repr__(self) -> str:
        return f"<Value {self.item.key} {len(self.raw)} bytes>"

    @property
    def tag(self) -> int:
        """Return the tag it stands under."""
        return self.item.tag

    @property
    def meaning(self) -> str | None:
        """Return what its code means, None where it is no code or none of the rule's."""
        return None if self.text is None else self.item.meaning(self.text)


class Fields(Struct, frozen=True):
    """One record of a cyclic file: its bytes, its values in order, and what is wrong with it as a whole."""

    raw: bytes
    values: tuple[Value, ...]
    text: str | None
    fault: str | None = None

    def __repr__(self) -> str:
        return f"<Fields {len(self.raw)} bytes>"


def read_value(item: Item, raw: bytes) -> Value:
    """Read one value of an item."""
    inner = _inner(item, raw) if item.type is ItemType.B_TLV else ()
    try:
        return Value(item, raw, decode(item, raw), inner=inner)
    except ValueFault as fault:
        return Value(item, raw, None, str(fault), inner)


def read_records(rule: FileRule, generation: Generation, records: Sequence[Record]) -> tuple[Value, ...]:
    """Read the records of a file, in their order, as many as there are of a tag.

    Tags that the rule does not have are read as binary. On a 1.0 card each value is read as what it means there.
    """
    first = {record.tag: record.value for record in reversed(records)}
    values = []
    for record in records:
        if has_old_meaning(rule, generation, record.tag, first):
            values.append(_old(rule, record))
        else:
            item = item_of(rule, record.tag, record.value) or unknown_item(record.tag, len(record.value))
            values.append(_as_stored(read_value(item, unfilled(record.value, item.length)), record.value))
    return tuple(values)


def read_fields(rule: FileRule, raw: bytes) -> Fields:
    """Read a record of a cyclic file.

    Its length tells its layout; any other length is cut by the usual one, and is a fault.
    """
    layout = layout_of(rule, len(raw))
    values, at = [], 0
    for item in layout:
        values.append(read_value(item, raw[at : at + item.length]))
        at += item.length
    faults = [value.fault for value in values if value.fault]
    if at != len(raw):
        faults.append(f"{len(raw)} bytes, the rule has {at}")
    try:
        text = join_texts(layout, [value.text for value in values])
    except ValueFault as fault:
        text = None
        faults.append(str(fault))
    return Fields(raw, tuple(values), text, "; ".join(faults) or None)


def write_fields(rule: FileRule, text: str) -> bytes:
    """Write a record of a cyclic file from the texts of its fields, each with `^` behind it. Raises ValueFault."""
    count = len(text.removesuffix("^").split("^"))
    layout = next((layout for layout in rule.layouts if len(layout) == count), rule.fields)
    texts = split_texts(rule.address, layout, text)
    return b"".join(encode(item, part) for item, part in zip(layout, texts, strict=True))


def read_whole(raw: bytes) -> str:
    """Read a transparent file as hexadecimal text."""
    return raw.hex().upper()


def write_whole(rule: FileRule, text: str) -> bytes:
    """Write hexadecimal text as the whole content of a transparent file, filled with 00. Raises ValueFault."""
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raise ValueFault(f"{rule.address}: hexadecimal digits only") from None
    if len(raw) > rule.size:
        raise ValueFault(f"{rule.address}: {len(raw)} bytes, there is room for {rule.size}")
    return raw.ljust(rule.size, b"\x00")


def layout_of(rule: FileRule, length: int) -> tuple[Item, ...]:
    """Return the fields of a record of this length; of a length that the rule does not have, the usual ones."""
    fitting = (layout for layout in rule.layouts if sum(item.length for item in layout) == length)
    return next(fitting, rule.fields)


def unknown_item(tag: int, length: int) -> Item:
    """Return what stands for an item that the rule does not have, or whose description is not public."""
    return Item(tag, _UNKNOWN if tag == NO_TAG else f"tag_{tag:02x}", ItemType.B, length, "not described", "未公开")


def _inner(item: Item, raw: bytes) -> tuple[Value, ...]:
    try:
        records = parse_records(raw)
    except TlvError:
        return ()
    return tuple(
        read_value(item.inner_item(record.tag) or unknown_item(record.tag, len(record.value)), record.value)
        for record in records
    )


def _old(rule: FileRule, record: Record) -> Value:
    item = old_item(rule.address, record.tag) or unknown_item(record.tag, len(record.value))
    value = read_value(item, record.value)
    return Value(item, value.raw, value.text, value.fault, old=True)


def _as_stored(value: Value, raw: bytes) -> Value:
    return value if value.raw == raw else Value(value.item, raw, value.text, value.fault, value.inner)
