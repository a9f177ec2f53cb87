"""Recorded exchanges with a card: JSON lines, first `{"atr": hex}`, then `{"c": hex, "r": hex}` for each command.

A PIN is not written down: its bytes are 00 and `"masked": [offset, length]` says where they were. Of an empty `r` the
power went before the answer.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, TypeVar

import msgspec

from cardd.base.document import DocumentError
from cardd.base.structs import Hidden, Struct
from cardsim.card.base import VirtualCard

T = TypeVar("T")

_Hex = Annotated[str, msgspec.Meta(pattern="^([0-9A-Fa-f]{2})*$")]
_HEADER: Final = 5
"""CLA INS P1 P2 Lc: what stands before the data."""

_VERIFY: Final = 0x20
_PIN_COMMANDS: Final = frozenset({(0x80, 0x5E), (0x00, 0x24)})
"""CHANGE PIN of LD/T 32.5, CHANGE REFERENCE DATA of ISO 7816-4."""

_CIPHER_DATA: Final = (0x80, 0xFA)
_PIN_BYTES: Final = range(1, 9)
_PADDING: Final = 0x80


class Exchange(Struct, frozen=True):
    """A command and its answer. `masked` is (offset, length) of the bytes of the command that are not told."""

    command: Hidden[bytes]
    response: Hidden[bytes]
    masked: tuple[int, int] | None = None

    def is_of(self, command: bytes) -> bool:
        """Say whether a card was asked this, whatever stands where the mask lies."""
        return self.command == (command if self.masked is None else hide(command, self.masked))


class Trace(Struct, frozen=True):
    """The answer to reset, and what came after it."""

    atr: bytes
    exchanges: Hidden[tuple[Exchange, ...]]


class _First(msgspec.Struct, frozen=True):
    atr: _Hex


class _Line(msgspec.Struct, frozen=True, omit_defaults=True):
    c: _Hex
    r: _Hex
    masked: tuple[int, int] | None = None


def secret_part(command: bytes) -> tuple[int, int] | None:
    """Return offset and length of the PIN that a command carries, None where it carries none.

    Also of the block that a security module is given to encipher a new PIN (LD/T 32.4 8.3: length, digits, padding).
    """
    if len(command) <= _HEADER:
        return None
    length = min(command[_HEADER - 1], len(command) - _HEADER)
    kind = (command[0], command[1])
    carries = kind[1] == _VERIFY or kind in _PIN_COMMANDS or (kind == _CIPHER_DATA and _is_pin_block(command, length))
    return (_HEADER, length) if carries and length else None


def hide(command: bytes, place: tuple[int, int]) -> bytes:
    """Return the command with 00 in one place."""
    offset, length = place
    return command[:offset] + bytes(len(command[offset : offset + length])) + command[offset + length :]


def without_secrets(command: bytes) -> bytes:
    """Return the command as it may be shown."""
    place = secret_part(command)
    return command if place is None else hide(command, place)


class RecordingCard:
    """A card whose exchanges are written down while it works; the file can be read by its owner only.

    A masked trace (the usual one) has no PIN in it; the answers, which name the holder, are there.
    """

    def __init__(self, card: VirtualCard, path: Path, *, masked: bool = True) -> None:
        """Begin the file anew. Raises OSError."""
        self._card = card
        self._path = path
        self._masked = masked
        atr = card.power_on()
        card.power_off()
        self._append({"atr": atr.hex().upper()}, os.O_CREAT | os.O_TRUNC)

    def power_on(self) -> bytes:
        """Give power and return the answer to reset."""
        return self._card.power_on()

    def reset(self) -> bytes:
        """Reset without taking power away and return the answer to reset."""
        return self._card.reset()

    def power_off(self) -> None:
        """Take power away."""
        self._card.power_off()

    def transmit(self, command: bytes) -> bytes:
        """Return the card's answer, after writing both down."""
        response = self._card.transmit(command)
        place = secret_part(command) if self._masked else None
        shown = command if place is None else hide(command, place)
        self._append(_Line(shown.hex().upper(), response.hex().upper(), place), 0)
        return response

    def _append(self, line: object, flags: int) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | flags, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(line) + b"\n")


def load_trace(path: Path) -> Trace:
    """Read a trace. Raises OSError, and DocumentError with the line of the first mistake."""
    lines = enumerate(path.read_bytes().splitlines(), 1)
    atr = next((_decoded(path, number, line, _First).atr for number, line in lines), None)
    if atr is None:
        raise DocumentError(path, 1, 1, 'is empty; a trace begins with {"atr": hex}')
    return Trace(bytes.fromhex(atr), tuple(_exchanges(path, lines)))


def _exchanges(path: Path, lines: Iterator[tuple[int, bytes]]) -> Iterator[Exchange]:
    for number, text in lines:
        if text.strip():
            line = _decoded(path, number, text, _Line)
            yield Exchange(bytes.fromhex(line.c), bytes.fromhex(line.r), line.masked)


def _decoded(path: Path, number: int, line: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        form = '{"atr": hex}' if kind is _First else '{"c": hex, "r": hex}'
        raise DocumentError(path, number, 1, f"is no line of the form {form}: {error}") from None


def _is_pin_block(command: bytes, length: int) -> bool:
    data = command[_HEADER : _HEADER + length]
    if data[0] not in _PIN_BYTES or data[0] >= length:
        return False
    padding = data[data[0] + 1 :]
    return not padding or (padding[0] == _PADDING and not any(padding[1:]))
