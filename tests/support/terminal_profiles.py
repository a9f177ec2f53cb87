"""The cards that are put to the cases of the terminal's interface, and what holder and issuer know of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cardd.rules.files import Generation
from cardsim.persona import SocialSecurityPersona, load_persona
from support.cards import altered


@dataclass(frozen=True)
class Profile:
    """A card that is put to the test: its persona, and what its holder and issuer know."""

    name: str
    path: Path
    card: SocialSecurityPersona

    @property
    def generation(self) -> Generation:
        return Generation(self.card.profile)

    @property
    def code(self) -> str:
        return (self.card.identification_code or "").replace(" ", "")

    @property
    def info(self) -> str:
        return f"{self.code}|{self.card.card_number}|"

    @property
    def region(self) -> str:
        return self.code[:6]

    @property
    def historical(self) -> str:
        return (self.card.atr or "")[8:]

    @property
    def dual(self) -> bool:
        return self.card.interface == "dual"

    @property
    def offline(self) -> bool:
        return self.card.balance is not None

    def basic(self, terminal: str) -> str:
        """Return what iReadCardBas must say of it."""
        holder = self.card.holder
        items = (
            self.region,
            holder.social_security_number,
            self.card.card_number,
            self.code,
            holder.name,
            self.historical,
            {"1.0": "1.00", "2.0": "2.00", "3.0": "3.00"}[self.card.profile],
            self.card.issue_date.replace("-", ""),
            self.card.valid_until.replace("-", ""),
            terminal,
            "",
        )
        return "".join(f"{item}|" for item in items)

    def content(self, file: str, item: str) -> str:
        """Return what stands in an item."""
        items = self.card.files[file]
        assert isinstance(items, dict)
        return items[item]

    def changed(self, name: str, **changes: Any) -> Path:
        """Write a card that differs from it in something, and return the file."""
        document = yaml.safe_load(self.path.read_text(encoding="utf-8"))
        for key, value in changes.items():
            document[key] = document.get(key, {}) | value if isinstance(value, dict) else value
        path = self.path.with_name(f"{self.name}-{name}.yaml")
        path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
        return path


_ALL_FILES = load_persona("p2-2.0-des").card
assert isinstance(_ALL_FILES, SocialSecurityPersona)
_FREE = {"DF01EF16": "0A0B0C"}
_FILES: Mapping[str, Mapping[str, Any]] = {
    "P1": {
        "DF02EF05": {"42": "010", "43": "0000001^1^测试发证机构^19200101^0000000000000001^",
                     "43:2": "0000002^1^测试发证机构二^19200101^0000000000000002^"},
        "DF02EF07": ["2020000^19210101^19220101^测试单位二^", "2010000^19200101^19201231^测试单位一^"],
        "SSSEEF07": "464D52",
    },
    "P2": _FREE,
    "P3": _FREE,
    "P5": {**{name: _ALL_FILES.files[name] for name in _ALL_FILES.files if not name.startswith("DF04")}, **_FREE},
}  # fmt: skip
"""What the cards get beside what is shipped, so that every kind of file is on each."""

_SHIPPED = {"P1": "p1-1.0-des", "P2": "p2-2.0-des", "P3": "p3-3.0-sm4", "P5": "p5-offline"}
PROFILES = tuple(_SHIPPED)


def profile(name: str, directory: Path) -> Profile:
    place = directory / name
    place.mkdir(parents=True, exist_ok=True)
    path = altered(place, _SHIPPED[name], files=_plain(_FILES[name]))
    card = load_persona(path).card
    assert isinstance(card, SocialSecurityPersona)
    return Profile(name, path, card)


def _plain(files: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(content) if isinstance(content, tuple) else content for name, content in files.items()}
