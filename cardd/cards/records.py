"""Records of a file: how one is asked for, and what the answer is (LD/T 32.5, READ RECORD and UPDATE RECORD)."""

from collections.abc import Callable
from typing import Final

from cardd.base.structs import Struct
from cardd.iso7816.apdu import MAX_LE, Command
from cardd.iso7816.channel import Channel
from cardd.iso7816.status import SW, StatusError
from cardd.rules.layout import FileRule

HEADER: Final = 2
"""Tag and length in front of a record's value."""

_READ: Final = 0xB2
_UPDATE: Final = 0xDC
_BY_TAG: Final = 0
_PREVIOUS: Final = 3
_BY_NUMBER: Final = 4
_ABSENT: Final = frozenset({SW.FILE_NOT_FOUND, SW.RECORD_NOT_FOUND})


Send = Callable[[Command], object]
"""What sends a command; StatusError for a refusal. `Channel.expect`, or what does more about certain refusals."""


class Stored(Struct, frozen=True):
    """What lies under a tag: the record's value, or the whole answer and why it is no such record."""

    raw: bytes
    fault: str | None = None

    def __repr__(self) -> str:
        return f"<Stored of {len(self.raw)} bytes{f': {self.fault}' if self.fault else ''}>"


def read_by_tag(channel: Channel, file: FileRule, tag: int) -> Stored | None:
    """Read the first record with that tag, None where file or record is not there. Raises StatusError."""
    item = file.item(tag)
    answer = _read_whole(channel, file, tag, _BY_TAG, item.record_length if item else MAX_LE)
    return None if answer is None else stored(tag, answer)


def read_by_number(channel: Channel, file: FileRule, number: int, length: int) -> bytes | None:
    """Read a tagged record by its number, tag and length included; None where file or record is not there.

    `length` is how long it is thought to be, 1 to 256: a right guess saves a command. Raises StatusError.
    """
    return _read_whole(channel, file, number, _BY_NUMBER, length)


def read_fields(channel: Channel, file: FileRule, number: int, length: int) -> bytes | None:
    """Read a record without tags, of a cyclic file, by its number; 1 is the newest. None and errors as above."""
    return _read(channel, file, number, _BY_NUMBER, length)


def update_by_tag(send: Send, file: FileRule, tag: int, value: bytes) -> None:
    """Write the first record with that tag, whole; one that is not there yet is appended. Raises StatusError."""
    _update(send, file, tag, _BY_TAG, bytes((tag, len(value))) + value)


def update_by_number(send: Send, file: FileRule, number: int, tag: int, value: bytes) -> None:
    """Write a record by its number, whole; the number behind the last one appends. Raises StatusError."""
    _update(send, file, number, _BY_NUMBER, bytes((tag, len(value))) + value)


def append_fields(send: Send, file: FileRule, record: bytes) -> None:
    """Make a new newest record of a cyclic file; the oldest goes. Raises StatusError."""
    _update(send, file, 0, _PREVIOUS, record)


def stored(tag: int, answer: bytes) -> Stored:
    """Take the value out of a record, or say why it is no record with that tag."""
    if len(answer) < HEADER:
        return Stored(answer, f"a record of {len(answer)} bytes")
    if answer[0] != tag:
        return Stored(answer, f"a record with tag {answer[0]:02X} where {tag:02X} was asked for")
    value = answer[HEADER : _declared_length(answer)]
    if len(value) != answer[1]:
        return Stored(answer, f"a record that says {answer[1]} bytes and has {len(value)}")
    return Stored(value)


def _read_whole(channel: Channel, file: FileRule, p1: int, mode: int, length: int) -> bytes | None:
    answer = _read(channel, file, p1, mode, length)
    if answer is not None and _declared_length(answer) > len(answer):
        # a card may cut a record that is longer than was asked for
        answer = _read(channel, file, p1, mode, min(_declared_length(answer), MAX_LE))
    return answer


def _read(channel: Channel, file: FileRule, p1: int, mode: int, length: int) -> bytes | None:
    command = Command(0x00, _READ, p1, file.sfi << 3 | mode, b"", min(length, MAX_LE))
    try:
        return channel.expect(command)
    except StatusError as error:
        if error.sw in _ABSENT:
            return None
        raise


def _update(send: Send, file: FileRule, p1: int, mode: int, record: bytes) -> None:
    send(Command(0x00, _UPDATE, p1, file.sfi << 3 | mode, record))


def _declared_length(answer: bytes) -> int:
    return answer[1] + HEADER if len(answer) >= HEADER else HEADER
