"""What of an exchange may be written down: headers, lengths, status words, and few data that tell of no person.

What is not named here is masked, so that a command that nobody thought of tells nothing. Whole are the names by which
applications and files are selected and what the card says to them, random numbers and what is computed of them alone,
and of the environment's EF05 the card's class and the version of its rule (LD/T 32.5, 32.6). Of a record that was read,
tag and length are told.
"""

from typing import Final

from cardd.base.structs import Struct
from cardd.rules.files import EF05
from cardd.rules.names import SSSE_NAME

Place = tuple[int, int]
"""Offset and length of the bytes that are not told."""

_HEADER: Final = 5
"""CLA INS P1 P2 P3: what stands before the data."""
_WORD: Final = 2
_RECORD_HEAD: Final = 2
_PUBLIC_VALUE: Final = 4
_BY_NAME: Final = 0x04
_BELOW: Final = 0x02

_SELECT: Final = (0x00, 0xA4)
_GET_RESPONSE: Final = (0x00, 0xC0)
_READ_RECORD: Final = (0x00, 0xB2)
_GET_CHALLENGE: Final = (0x00, 0x84)
_INTERNAL: Final = (0x00, 0x88)
_EXTERNAL: Final = (0x00, 0x82)
_TOLD_COMMANDS: Final = frozenset({_SELECT, _INTERNAL, _EXTERNAL})
_TOLD_ANSWERS: Final = frozenset({_SELECT, _GET_CHALLENGE, _INTERNAL})
_PUBLIC_TAGS: Final = frozenset(item.tag for item in EF05.items if item.key in {"card_class", "specification_version"})
_GOOD: Final = (0x90, 0x61)


class Shown(Struct, frozen=True):
    """An exchange as it may be written down, with 00 where something is not told."""

    command: bytes
    answer: bytes
    command_masked: Place | None = None
    answer_masked: Place | None = None


class Masker:
    """Masks what is said to one card, from its insertion on: what an answer means hangs on what was selected."""

    def __init__(self) -> None:
        self._last = (-1, -1)
        self._in_environment = False

    def shown(self, command: bytes, answer: bytes) -> Shown:
        """Return one exchange as it may be written down."""
        kind = (command[0], command[1]) if len(command) > 1 else (-1, -1)
        if kind != _GET_RESPONSE:
            self._last = kind
        if kind == _SELECT:
            self._follow(command, answer)
        hidden = None if kind in _TOLD_COMMANDS else _place(_HEADER, len(command) - _HEADER)
        unread = self._unread(command, answer)
        return Shown(_hide(command, hidden), _hide(answer, unread), hidden, unread)

    def _follow(self, command: bytes, answer: bytes) -> None:
        if len(command) > _HEADER and command[2] != _BELOW:
            named = command[2] == _BY_NAME and command[_HEADER : _HEADER + command[4]] == SSSE_NAME
            self._in_environment = named and answer[-_WORD : -_WORD + 1] in map(_byte, _GOOD)

    def _unread(self, command: bytes, answer: bytes) -> Place | None:
        """Return where the answer's data are not told."""
        length = len(answer) - _WORD
        if self._last in _TOLD_ANSWERS:
            return None
        if self._last == _READ_RECORD and length >= _RECORD_HEAD and answer[1] == length - _RECORD_HEAD:
            return None if self._is_public(command, answer) else _place(_RECORD_HEAD, length - _RECORD_HEAD)
        return _place(0, length)

    def _is_public(self, command: bytes, answer: bytes) -> bool:
        here = self._in_environment and command[3] >> 3 == EF05.sfi
        return here and answer[0] in _PUBLIC_TAGS and answer[1] <= _PUBLIC_VALUE


def _place(offset: int, length: int) -> Place | None:
    return (offset, length) if length > 0 else None


def _hide(text: bytes, place: Place | None) -> bytes:
    if place is None:
        return text
    offset, length = place
    return text[:offset] + bytes(length) + text[offset + length :]


def _byte(number: int) -> bytes:
    return bytes((number,))
