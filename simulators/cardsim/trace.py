"""Recorded exchanges with a card: JSON lines, first `{"atr": hex}`, then `{"c": hex, "r": hex}` for each command.

A PIN is not written down: its bytes are 00 and `"masked": [offset, length]` says where they were. Of an empty `r` the
power went before the answer.

A daemon's own trace holds the stays of many cards, interleaved: `{"insertion", "reader", "t", "atr"}` begins one,
`{"insertion", "t", "ms", "c", "r"}` are its exchanges, `{"lost": n}` says that so many could not be written down. There
`"r_masked"` is where the answer is not told.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
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
    """A command and its answer. `masked` is (offset, length) of the bytes of the command that are not told.

    `unread` is the same of the answer, `milliseconds` how long the answer took, where that was written down.
    """

    command: Hidden[bytes]
    response: Hidden[bytes]
    masked: tuple[int, int] | None = None
    unread: tuple[int, int] | None = None
    milliseconds: float | None = None

    def is_of(self, command: bytes) -> bool:
        """Say whether a card was asked this, whatever stands where the mask lies."""
        return self.command == (command if self.masked is None else hide(command, self.masked))


class Trace(Struct, frozen=True):
    """The answer to reset, and what came after it.

    `insertion` and `reader` are the stay's in a trace of several; so many exchanges are `lost` there, of whichever.
    """

    atr: bytes
    exchanges: Hidden[tuple[Exchange, ...]]
    insertion: str = ""
    reader: str = ""
    lost: int = 0


class _First(msgspec.Struct, frozen=True):
    atr: _Hex


class _Line(msgspec.Struct, frozen=True, omit_defaults=True):
    c: _Hex
    r: _Hex
    masked: tuple[int, int] | None = None
    r_masked: tuple[int, int] | None = None
    ms: float | None = None


class _Stay(msgspec.Struct, frozen=True):
    insertion: str
    reader: str
    atr: _Hex


class _OfStay(_Line, frozen=True, kw_only=True):
    insertion: str


class _Lost(msgspec.Struct, frozen=True):
    lost: int


class _Kind(msgspec.Struct, frozen=True):
    """By which fields the lines of a trace of several stays are told apart."""

    insertion: str | None = None
    atr: str | None = None
    lost: int | None = None


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


def load_trace(path: Path, insertion: str = "") -> Trace:
    """Read a trace; of one of several stays, that of an insertion.

    Raises OSError, and DocumentError with the line of the first mistake, or where it has to be said which stay.
    """
    traces = load_traces(path)
    found = [trace for trace in traces if insertion in {"", trace.insertion}]
    if len(found) == 1:
        return found[0]
    known = ", ".join(f"{trace.insertion} ({trace.reader})" for trace in traces) or "none"
    problem = f"has no insertion `{insertion}`" if insertion else "has several insertions: say which one"
    raise DocumentError(path, 1, 1, f"{problem}; there are {known}")


def load_traces(path: Path) -> tuple[Trace, ...]:
    """Read all stays of a trace, in the order in which they began. Raises OSError, DocumentError."""
    text = path.read_bytes()
    lines = list(enumerate(text.splitlines(), 1))
    first = next((line for _, line in lines), None)
    if first is None:
        raise DocumentError(path, 1, 1, 'is empty; a trace begins with {"atr": hex}')
    if _is_of_several(first):
        # a daemon that was killed may have been in the middle of a line
        whole = lines if text.endswith(b"\n") else lines[:-1]
        return _split(path, whole)
    numbered = iter(lines)
    atr = _decoded(path, *next(numbered), _First).atr
    return (Trace(bytes.fromhex(atr), tuple(_exchanges(path, numbered))),)


def _is_of_several(line: bytes) -> bool:
    try:
        kind = msgspec.json.decode(line, type=_Kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return kind.insertion is not None or kind.lost is not None


def _split(path: Path, lines: Iterable[tuple[int, bytes]]) -> tuple[Trace, ...]:
    begun: dict[str, _Stay] = {}
    exchanges: dict[str, list[Exchange]] = {}
    lost = 0
    for number, text in lines:
        if not text.strip():
            continue
        kind = _decoded(path, number, text, _Kind)
        if kind.lost is not None:
            lost += kind.lost
        elif kind.atr is not None:
            stay = _decoded(path, number, text, _Stay)
            # told again behind a loss, and in a file that was opened anew
            begun[stay.insertion] = stay
            exchanges.setdefault(stay.insertion, [])
        else:
            line = _decoded(path, number, text, _OfStay)
            if line.insertion not in exchanges:
                raise DocumentError(
                    path, number, 1, f"is of insertion `{line.insertion}`: no line before tells its ATR"
                )
            exchanges[line.insertion].append(_exchange(line))
    return tuple(
        Trace(bytes.fromhex(stay.atr), tuple(exchanges[name]), name, stay.reader, lost) for name, stay in begun.items()
    )


def _exchanges(path: Path, lines: Iterator[tuple[int, bytes]]) -> Iterator[Exchange]:
    for number, text in lines:
        if text.strip():
            yield _exchange(_decoded(path, number, text, _Line))


def _exchange(line: _Line) -> Exchange:
    return Exchange(bytes.fromhex(line.c), bytes.fromhex(line.r), line.masked, line.r_masked, line.ms)


_FORMS: Final[Mapping[type, str]] = MappingProxyType(
    {
        _First: '{"atr": hex}',
        _Kind: '{"insertion": id, …}',
        _Stay: '{"insertion": id, "reader": name, "atr": hex}',
        _OfStay: '{"insertion": id, "c": hex, "r": hex}',
    }
)


def _decoded(path: Path, number: int, line: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        form = _FORMS.get(kind, '{"c": hex, "r": hex}')
        raise DocumentError(path, number, 1, f"is no line of the form {form}: {error}") from None


def _is_pin_block(command: bytes, length: int) -> bool:
    data = command[_HEADER : _HEADER + length]
    if data[0] not in _PIN_BYTES or data[0] >= length:
        return False
    padding = data[data[0] + 1 :]
    return not padding or (padding[0] == _PADDING and not any(padding[1:]))
