"""As many invented people as a test needs, each with an old card, a new card and a place in the register."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from cardd.rules.identity import card_number_check, citizen_number_ok

PIN = "123456"
PASSWORD = "654321"  # noqa: S105 - an invented one
UPDATES = {"SSSEEF05": {"06": "20440101"}}
"""What the centre sends for every new card, and the command that writes it begins with 00DC."""

_ROOT = "00112233445566778899AABBCCDDEEFF"


@dataclass(frozen=True)
class Person:
    """The personas of both cards, and the number by which the register knows the holder."""

    number: str
    old: Path
    social: Path


def invent(directory: Path, count: int) -> tuple[Path, list[Person]]:
    """Write the personas and a register of so many people into a directory; return the register's file and them."""
    rows, people = [], []
    for index in range(count):
        number = _citizen(index)
        code = f"510100D156000005C1A0{index:04X}FFFFFFFF"
        card = f"T{index + 1000:07d}"
        card += card_number_check(card)
        old = f"19{index + 1000:08d}"
        name = f"测试{index}"
        people.append(
            Person(
                number,
                _persona(directory / f"old-{index}.yaml", _old_card(old)),
                _persona(directory / f"social-{index}.yaml", _social_card(index, number, name, code, card)),
            )
        )
        rows.append(
            {
                "social_security_number": number,
                "name": name,
                "cards": [{"number": card, "identification_code": code}],
                "old_cards": [{"number": old, "password": PASSWORD}],
                "updates": UPDATES,
            }
        )
    register = {"region": "510100", "people": rows}
    return _persona(directory / "people.yaml", register), people


def _old_card(number: str) -> dict[str, object]:
    return {"card": "medical-insurance", "kind": "cpu", "interface": "contact", "number": number}


def _social_card(index: int, number: str, name: str, code: str, card: str) -> dict[str, object]:
    return {
        "card": "social-security",
        "profile": "3.0",
        "interface": "contact",
        "algorithm": "sm4",
        "atr": f"3B6D00000081544C9686845101C1A0{index:04X}",
        "keys": {"root": _ROOT},
        "seed": index,
        "identification_code": code,
        "card_number": card,
        "holder": {
            "social_security_number": number,
            "name": name,
            "sex": "1",
            "ethnic_group": "01",
            "birthplace": "510100",
            "birth_date": f"{number[6:10]}-{number[10:12]}-{number[12:14]}",
        },
        "pin": PIN,
    }


def _persona(file: Path, content: Mapping[str, object]) -> Path:
    file.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return file


def _citizen(index: int) -> str:
    body = f"5101011900{index % 12 + 1:02d}01{index % 1000:03d}"
    return next(body + check for check in _checks() if citizen_number_ok(body + check))


def _checks() -> Iterator[str]:
    yield from "0123456789X"
