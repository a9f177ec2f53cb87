"""Contents that fit the files of the rule, item by item, and cards that hold what a test writes into them."""

from pathlib import Path
from typing import Any

from cardd.rules.compatibility import old_item
from cardd.rules.files import FileRule, Generation, Structure
from cardd.rules.items import Form, Item, ItemType
from support.cards import altered

CARDS = {Generation.V1: "social-ding-1.0", Generation.V2: "social-bing-2.0", Generation.V3: "social-jia-3.0"}
KEYS = {"root": "00112233445566778899AABBCCDDEEFF", "stk_root": "0123456789ABCDEF"}


def social(directory: Path, generation: Generation, **changes: Any) -> Path:
    """Write a card of a generation, its PIN 123456, with all keys, and return the file."""
    given = {"keys": KEYS, "pin": "123456"} | changes
    return altered(directory, CARDS[generation], **given)


def sample(item: Item, number: int) -> str:
    """Make a text that fits an item, different for each number from 1 to 9."""
    if item.type is ItemType.B_TLV:
        return "".join(f"{sample(inner, number)}^" for inner in item.inner)
    if item.form is Form.DATE:
        return f"2024010{number}"
    if item.form is Form.TIME:
        return f"2024010{number}123456"
    if item.form is Form.YUAN:
        return f"{number}.50"
    if item.type is ItemType.AN:
        return f"测试{number}" if item.length > 9 else str(number) * item.length
    return str(number) * 2 * item.length


def shown(item: Item, text: str) -> str:
    """Return the text as readings show it."""
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if item.form is Form.DATE else text


def content(rule: FileRule, generation: Generation, first: int = 1) -> tuple[Any, dict[str, str]]:
    """Return what a persona says of a file, and what reading it gives; other samples with another `first`."""
    if rule.structure is Structure.TRANSPARENT:
        text = bytes((at + first) % 251 for at in range(rule.size)).hex().upper()
        return text, {"whole": text}
    if rule.structure is Structure.CYCLIC:
        records = ["".join(f"{sample(item, first + number)}^" for item in rule.fields) for number in (0, 1, 2)]
        return records, {str(number): text for number, text in enumerate(records, 1)}
    given, expected = {}, {}
    for item in rule.items_of(generation):
        if generation is Generation.V1 and old_item(rule.address, item.tag) is not None:
            continue
        for number in range(item.count):
            name = f"{item.tag:02X}" if item.count == 1 else f"{item.tag:02X}:{number + 1}"
            given[name] = sample(item, first + number)
            expected[name] = shown(item, given[name])
    return given, expected
