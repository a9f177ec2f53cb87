"""Old medical insurance cards (医保卡) by chip and layout: where the number lies and how it is written.

No rule describes these cards. Each row was seen in one public program or log of a city; the order is the order in which
layouts are tried. Nothing here needs a secret code: the chips give their memory to whoever asks.
"""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace

from cardd.base.structs import Struct


class Chip(StrEnum):
    """What kind of chip keeps the data."""

    SLE4442 = "sle4442"
    """256 bytes."""

    SLE4428 = "sle4428"
    """1024 bytes."""

    CPU = "cpu"
    """A processor with files; the layout counts from the beginning of the file."""


class Writing(StrEnum):
    """How a field is written."""

    LEADING = "leading"
    """ASCII digits, up to the first character that is none."""

    FILLED = "filled"
    """ASCII digits and then blanks, 00 or FF; anything else among them is no number."""

    PACKED = "packed"
    """Two decimal digits a byte, up to the first nibble that is none."""

    CODE = "code"
    """ASCII letters and digits, up to the first blank."""

    TEXT = "text"
    """Characters in GBK, up to the first blank."""

    TURNED = "turned"
    """ASCII digits, the nibbles of each byte swapped and all bits inverted, up to the first blank."""


class Field(Struct, frozen=True):
    """One field: offset and length in bytes, and how many characters it must have to count as one."""

    offset: int
    length: int
    writing: Writing
    least: int = 1

    def read(self, memory: bytes) -> str | None:
        """Return the field's text, None where nothing is written there, or nothing of this writing."""
        raw = memory[self.offset : self.offset + self.length]
        if not raw or (len(set(raw)) == 1 and raw[0] in _FILLERS):
            return None
        text = _READ[self.writing](raw)
        return text if text is not None and len(text) >= self.least else None


class Layout(Struct, frozen=True):
    """Where one city's cards keep what they tell. The fields beside the number are there where the layout has them.

    `proved_by_identity`: the number counts only beside something of the form of an identity number, because what lies
    on cards of other layouts could be read as a number too.
    """

    name: str
    chip: Chip
    number: Field
    identity_number: Field | None = None
    holder: Field | None = None
    issue_date: Field | None = None
    employer: Field | None = None
    proved_by_identity: bool = False

    def read(self, memory: bytes) -> "OldCard | None":
        """Return what the card tells in this layout, None where it is not written in this layout."""
        number = self.number.read(memory)
        identity = None if self.identity_number is None else self.identity_number.read(memory)
        if number is None or (self.proved_by_identity and not _IDENTITY.fullmatch(identity or "")):
            return None
        return OldCard(self.name, number, identity, None if self.holder is None else self.holder.read(memory))


class OldCard(Struct, frozen=True):
    """What an old card tells. Its repr never tells it: it is a person's."""

    layout: str
    number: str
    identity_number: str | None = None
    name: str | None = None

    def __repr__(self) -> str:
        return f"<OldCard {self.layout}>"


_FILLERS: Final = b"\x00\x20\xff"
_BLANK: Final = b" "
_IDENTITY: Final = re.compile(r"[0-9]{17}[0-9X]|[0-9]{15}", re.ASCII)
_DECIMAL: Final = b"0123456789"


def _leading(raw: bytes) -> str | None:
    end = next((at for at, byte in enumerate(raw) if byte not in _DECIMAL), len(raw))
    return raw[:end].decode("ascii") or None


def _filled(raw: bytes) -> str | None:
    end = next((at for at, byte in enumerate(raw) if byte in _FILLERS), len(raw))
    return raw[:end].decode("ascii") if raw[:end].isdigit() else None


def _packed(raw: bytes) -> str | None:
    text = raw.hex()
    end = next((at for at, nibble in enumerate(text) if nibble not in "0123456789"), len(text))
    return text[:end] or None


def _text(raw: bytes) -> str | None:
    used = raw.split(_BLANK, 1)[0].strip(b"\x00\xff")
    try:
        text = used.decode("gb18030")
    except UnicodeDecodeError:
        return None
    return text if text and text.isprintable() else None


def _code(raw: bytes) -> str | None:
    text = _text(raw)
    return text if text is not None and text.isascii() and text.isalnum() else None


def _turned(raw: bytes) -> str | None:
    turned = bytes((byte >> 4 | byte << 4) & 0xFF ^ 0xFF for byte in raw)
    return _filled(turned.split(_BLANK, 1)[0])


_READ: Final[Mapping[Writing, Callable[[bytes], str | None]]] = MappingProxyType(
    {
        Writing.LEADING: _leading,
        Writing.FILLED: _filled,
        Writing.PACKED: _packed,
        Writing.CODE: _code,
        Writing.TEXT: _text,
        Writing.TURNED: _turned,
    }
)

_JINAN: Final = Layout(
    "jinan",
    Chip.SLE4428,
    Field(0x20, 9, Writing.CODE),
    Field(0x33, 18, Writing.CODE),
    Field(0x6A, 40, Writing.TEXT),
    Field(0x45, 8, Writing.LEADING),
    Field(0x92, 70, Writing.TEXT),
    proved_by_identity=True,
)

LAYOUTS: Final = (
    # its identity number would be read as a packed number by the next one, so it is tried first
    _JINAN,
    Layout("loudi-a", Chip.SLE4428, Field(50, 20, Writing.PACKED, least=8)),
    Layout("loudi-b", Chip.SLE4428, Field(100, 14, Writing.LEADING, least=4)),
    Layout("loudi-c", Chip.SLE4428, Field(27, 14, Writing.LEADING, least=8)),
    Layout("loudi-d", Chip.SLE4428, Field(37, 20, Writing.TURNED)),
    # and last a card of that kind on which no identity number was written
    replace(_JINAN, proved_by_identity=False),
    Layout("loudi", Chip.SLE4442, Field(100, 14, Writing.LEADING)),
    Layout("cpu", Chip.CPU, Field(0, 20, Writing.FILLED)),
)
"""Every layout that is known, in the order of trying. A public driver tries those of Loudi from (a) to (d)."""

NUMBER_FILE: Final = 0x0003
"""The transparent file of a processor card, under a root that bears the bank's name."""

ATR_STARTS: Final[Mapping[int, Chip]] = MappingProxyType({0x92: Chip.SLE4428, 0xA2: Chip.SLE4442, 0xA3: Chip.SLE4442})
"""The chip by the first byte of its own answer to reset: four bytes, which readers show as historical ones."""

TELLTALE: Final = 1022
TELLTALE_VALUES: Final[Mapping[int, Chip]] = MappingProxyType({0x00: Chip.SLE4428, 0xFF: Chip.SLE4442})
"""Read as an SLE4428, this byte tells which chip it is where the answer to reset does not."""

SIZES: Final[Mapping[Chip, int]] = MappingProxyType({Chip.SLE4442: 256, Chip.SLE4428: 1024})
"""Bytes of memory."""


def layouts_of(chip: Chip) -> tuple[Layout, ...]:
    """Return the layouts of a chip in the order of trying."""
    return tuple(layout for layout in LAYOUTS if layout.chip is chip)


def end_of(chip: Chip) -> int:
    """Return how many bytes from the beginning hold everything that the layouts of a chip tell of the card."""
    told = [
        field.offset + field.length
        for layout in layouts_of(chip)
        for field in (layout.number, layout.identity_number, layout.holder)
        if field is not None
    ]
    return max(told)


def read_old_card(chip: Chip, memory: bytes) -> OldCard | None:
    """Return what the memory of an old card tells, by the first layout that it is written in; None where by none."""
    found = (layout.read(memory) for layout in layouts_of(chip))
    return next((card for card in found if card is not None), None)
