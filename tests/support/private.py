"""What must be found nowhere: everything of persons and keys that the shipped cards and their register hold."""

from collections.abc import Iterator
from typing import Any, Final

import yaml

from cardsim.persona import PERSONAS
from cardsim.rig import REGISTER

PIN: Final = "123456"

_FEW: Final = 6
"""Three bytes stand in any file by chance."""


def patterns() -> Iterator[tuple[str, bytes]]:
    """Yield what to look for in every shape in which it may have been written down, and what it is."""
    for text in sorted(_private()):
        yield from shapes(text)


def shapes(text: str) -> Iterator[tuple[str, bytes]]:
    """Yield every shape in which one text may have been written down, and what it is."""
    for encoding in ("utf-8", "gbk"):
        raw = text.encode(encoding)
        yield f"{text} in {encoding}", raw
        yield f"{text} in {encoding} as hex", raw.hex().encode()
        yield f"{text} in {encoding} as HEX", raw.hex().upper().encode()
    if not text.isascii():
        yield f"{text} as escapes", text.encode("unicode_escape")
    digits = text.removesuffix("X")
    if digits.isdigit() and len(digits) % 2 == 0 and len(digits) > _FEW:
        yield f"{text} in bcd", bytes.fromhex(digits)


def found_in(text: bytes) -> list[str]:
    """Return what was found of all that."""
    return [what for what, pattern in patterns() if pattern in text]


def _private() -> set[str]:
    found = {PIN}
    for person in yaml.safe_load(REGISTER.read_text(encoding="utf-8"))["people"]:
        found |= {person["social_security_number"], person["name"]}
        found |= {card["number"] for card in person["cards"] + person["old_cards"]}
        found |= {card["identification_code"] for card in person["cards"]}
    for file in PERSONAS.glob("*.yaml"):
        found |= set(_keys(yaml.safe_load(file.read_text(encoding="utf-8")).get("keys", {})))
    return found


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _keys(inner)
    else:
        yield str(value)
