"""Answers to reset (ISO 7816-3 8.2), read without ever failing: what is wrong with one is part of what is told."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cardd.base.structs import Struct

_CONVENTIONS: Final = MappingProxyType({0x3B: "direct", 0x3F: "inverse"})
_LETTERS: Final = (("A", 0x10), ("B", 0x20), ("C", 0x40), ("D", 0x80))
_GLOBAL: Final = 15
_MAX_LENGTH: Final = 33


class Atr(Struct, frozen=True):
    """What an answer to reset says.

    `convention` is "direct", "inverse" or "" (unknown first byte). `interface` maps TA1, TB1 … to their values.
    `protocols` are the T numbers offered, first offer first (15 is no protocol and not listed); T=0 where none is
    named. `historical` are the historical bytes that are there, at most 15. `tck` is the check byte or None; `tck_ok`
    is false where one is missing or wrong. `problems` are English phrases, empty for a sound answer.
    """

    raw: bytes
    convention: str
    interface: Mapping[str, int]
    protocols: tuple[int, ...]
    historical: bytes
    tck: int | None
    tck_ok: bool
    problems: tuple[str, ...]


class _Reader:
    """Bytes from left to right that end without an exception."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

    def byte(self) -> int | None:
        """Return the next byte, or None at the end."""
        if self._at >= len(self._raw):
            return None
        self._at += 1
        return self._raw[self._at - 1]

    def take(self, count: int) -> bytes:
        """Return the next bytes, fewer at the end."""
        part = self._raw[self._at : self._at + count]
        self._at += len(part)
        return part

    @property
    def left(self) -> int:
        return len(self._raw) - self._at


def parse_atr(raw: bytes) -> Atr:
    """Read an answer to reset; any bytes give an Atr, never an exception."""
    problems: list[str] = []
    reader = _Reader(raw)
    convention = _convention(reader.byte(), problems)
    t0 = reader.byte()
    if t0 is None:
        problems.append("T0 is missing")
    interface, offers = _interface_bytes(reader, (t0 or 0) & 0xF0, problems)
    told = (t0 or 0) & 0x0F
    historical = reader.take(told)
    if len(historical) < told:
        problems.append(f"{told} historical bytes announced, {len(historical)} are there")
    tck = reader.byte() if any(offers) else None
    tck_ok = _check(raw[: len(raw) - reader.left], any(offers), tck, problems)
    if reader.left:
        problems.append(f"{reader.left} bytes too many")
    if len(raw) > _MAX_LENGTH:
        problems.append(f"{len(raw)} bytes, longer than {_MAX_LENGTH}")
    protocols = tuple(dict.fromkeys(offer for offer in offers if offer != _GLOBAL)) or (0,)
    return Atr(raw, convention, MappingProxyType(interface), protocols, historical, tck, tck_ok, tuple(problems))


def _convention(ts: int | None, problems: list[str]) -> str:
    if ts is None:
        problems.append("no answer to reset")
        return ""
    if ts not in _CONVENTIONS:
        problems.append(f"TS {ts:02X} is neither 3B nor 3F")
    return _CONVENTIONS.get(ts, "")


def _interface_bytes(reader: _Reader, present: int, problems: list[str]) -> tuple[dict[str, int], list[int]]:
    """Follow the chain of TD bytes. Return the interface bytes by name and the T number of each TD."""
    found: dict[str, int] = {}
    offers: list[int] = []
    group = 1
    while present:
        flags, present = present, 0
        for letter, flag in _LETTERS:
            if not flags & flag:
                continue
            value = reader.byte()
            if value is None:
                problems.append(f"T{letter}{group} is missing")
                return found, offers
            found[f"T{letter}{group}"] = value
            if letter == "D":
                offers.append(value & 0x0F)
                present = value & 0xF0
        group += 1
    return found, offers


def _check(read: bytes, needed: bool, tck: int | None, problems: list[str]) -> bool:  # noqa: FBT001 - one fact of three
    if not needed:
        return True
    if tck is None:
        problems.append("TCK is missing")
        return False
    parity = 0
    for byte in read[1:]:
        parity ^= byte
    if parity:
        problems.append("TCK is wrong")
    return parity == 0
