"""What is to be written, in the bytes that go onto the card: checked before any card is touched."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Hidden, Struct
from cardd.desk.reading import WHOLE
from cardd.desk.refusals import refusals
from cardd.rules import values
from cardd.rules.address import ItemAddress, parse_item
from cardd.rules.compatibility import old_item
from cardd.rules.content import write_fields, write_whole
from cardd.rules.files import FILES
from cardd.rules.generations import Generation
from cardd.rules.items import Form, Item
from cardd.rules.keys import KeyName
from cardd.rules.layout import FileRule, Structure

Updates = Mapping[str, Mapping[str, str]]
"""`{"SSSEEF06": {"0C": "510100"}}`: by file and item, texts as the driver writes them, dates also as YYYY-MM-DD.

Items that repeat are numbered (`40:2`), records to be added to a cyclic file too (1 is to be the newest), and the
content of a transparent file stands under `whole`, in hexadecimal.
"""

_ISO_DATE: Final = re.compile(r"^(\d{4})-(\d{2})-(\d{2})$", re.ASCII)
_FILLER: Final = b"\xee"


class ItemValue(Struct, frozen=True):
    """One item's new value: `occurrence` from 1 where the tag repeats, else None."""

    item: Item
    occurrence: int | None
    value: Hidden[bytes]

    @property
    def name(self) -> str:
        """Return the item as in an address."""
        return str(ItemAddress(self.item.tag, self.occurrence))


class Update(Struct, frozen=True):
    """What becomes of one file: `items` of tagged records, `records` to be added, oldest first, or the `whole`."""

    rule: FileRule
    key: KeyName
    items: tuple[ItemValue, ...] = ()
    records: Hidden[tuple[bytes, ...]] = ()
    whole: Hidden[bytes] = b""
    names: tuple[str, ...] = ()


def prepare(updates: Updates) -> tuple[Update, ...]:
    """Check everything and turn it into bytes.

    Raises CarddError(INVALID) that names file and item and never the value.
    """
    return tuple(_prepared(name, texts) for name, texts in updates.items())


def as_stored(rule: FileRule, generation: Generation, new: ItemValue) -> bytes:
    """Return the value as a card of that generation keeps it.

    A 1.0 card's record keeps the length of its old meaning: what is left is filled, which says that the meaning is new.
    """
    old = old_item(rule.address, new.item.tag) if generation is Generation.V1 else None
    return new.value if old is None else new.value.ljust(old.length, _FILLER)


def _prepared(name: str, texts: Mapping[str, str]) -> Update:
    rule = FILES.get(name)
    if rule is None or rule.write is None:
        raise CarddError(Reason.INVALID, f"{name} is not among the files that can be written", file=name)
    if not texts:
        raise CarddError(Reason.INVALID, f"nothing is to be written to {name}", file=name)
    with refusals(file=name):
        return _BY_STRUCTURE[rule.structure](rule, rule.write, texts)


def _tagged(rule: FileRule, key: KeyName, texts: Mapping[str, str]) -> Update:
    items = tuple(_item_value(rule, address, text) for address, text in texts.items())
    names = tuple(item.name for item in items)
    if len(set(names)) != len(names):
        raise CarddError(Reason.INVALID, "an item is named twice")
    return Update(rule, key, items=items, names=names)


def _item_value(rule: FileRule, address: str, text: str) -> ItemValue:
    place = parse_item(address)
    item = rule.item(place.tag)
    with refusals(item=str(place)):
        if item is None:
            raise CarddError(Reason.INVALID, "the file has no such item")
        occurrence = _occurrence(item, place)
        return ItemValue(item, occurrence, _checked(lambda: values.encode(item, _plain(item, text))))


def _occurrence(item: Item, place: ItemAddress) -> int | None:
    if item.count == 1 and place.occurrence in {None, 1}:
        return None
    if item.count > 1 and place.occurrence is not None:
        return place.occurrence
    detail = "it repeats: name which one (:1 …)" if item.count > 1 else "it does not repeat"
    raise CarddError(Reason.INVALID, detail)


def _plain(item: Item, text: str) -> str:
    return _ISO_DATE.sub(r"\1\2\3", text) if item.form is Form.DATE else text


def _cyclic(rule: FileRule, key: KeyName, texts: Mapping[str, str]) -> Update:
    numbers = [str(number) for number in range(1, len(texts) + 1)]
    if set(texts) != set(numbers):
        raise CarddError(Reason.INVALID, "records to be added are numbered 1, 2 …, 1 to be the newest")
    if len(numbers) > rule.records:
        raise CarddError(Reason.INVALID, f"the file keeps {rule.records} records")
    records = []
    for number in reversed(numbers):
        with refusals(item=f"record {number}"):
            records.append(_checked(partial(write_fields, rule, texts[number])))
    return Update(rule, key, records=tuple(records), names=tuple(numbers))


def _transparent(rule: FileRule, key: KeyName, texts: Mapping[str, str]) -> Update:
    if set(texts) != {WHOLE}:
        raise CarddError(Reason.INVALID, f"the file has no items: its content stands under `{WHOLE}`, in hexadecimal")
    return Update(rule, key, whole=_checked(lambda: write_whole(rule, texts[WHOLE])), names=(WHOLE,))


def _checked(encode: Callable[[], bytes]) -> bytes:
    try:
        return encode()
    except values.ValueFault as fault:
        raise CarddError(Reason.INVALID, str(fault)) from None


_BY_STRUCTURE: Final[Mapping[Structure, Callable[[FileRule, KeyName, Mapping[str, str]], Update]]] = MappingProxyType(
    {
        Structure.LINEAR_VARIABLE: _tagged,
        Structure.LINEAR_FIXED: _tagged,
        Structure.CYCLIC: _cyclic,
        Structure.TRANSPARENT: _transparent,
    }
)
