"""What a trace shows of a social security card: its files, their records and lengths, what is not there."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from cardd.base.structs import Hidden, Struct
from cardd.iso7816 import tlv
from cardd.rules.applications import APPLICATIONS, MASTER_FILE
from cardd.rules.identity import APPLICATION_ID
from cardd.rules.names import AIDS, FCI_ALGORITHM, SSSE_NAME
from cardsim.trace import Exchange, Trace

_HEADER: Final = 5
_WORD: Final = 2
_TAGGED: Final = 2
_SELECT: Final = b"\x00\xa4"
_READ_RECORD: Final = b"\x00\xb2"
_READ_BINARY: Final = b"\x00\xb0"
_VERIFY: Final = b"\x00\x20"
_GET_RESPONSE: Final = b"\x00\xc0"
_BY_NAME: Final = 0x04
_BY_NUMBER: Final = 4
_BY_TAG: Final = 0
_DONE: Final = b"\x90\x00"
_WAITING: Final = 0x61
_BLOCKED: Final = frozenset({b"\x6a\x81", b"\x93\x03"})
_ABSENT: Final = frozenset({b"\x6a\x82", b"\x6a\x83"})
_FILE_ABSENT: Final = b"\x6a\x82"
_ELSEWHERE: Final = ""


class NotLearnableError(ValueError):
    """No persona can be made of the recorded card."""


class Asked(Struct, frozen=True):
    """One command with the whole of its answer, what GET RESPONSE fetched included."""

    command: Hidden[bytes]
    data: Hidden[bytes]
    word: bytes
    masked: bool


@dataclass
class File:
    """What was seen of one file: `records` are values by (tag, which one of that tag), `whole` records by number.

    `broken` are records that were found by a tag and are none with tag and length.
    """

    records: dict[tuple[int, int], bytes] = field(default_factory=dict, repr=False)
    whole: dict[int, bytes] = field(default_factory=dict, repr=False)
    broken: dict[int, bytes] = field(default_factory=dict, repr=False)
    content: bytearray = field(default_factory=bytearray, repr=False)
    absent: set[int] = field(default_factory=set)
    masked: bool = False


@dataclass
class Observed:
    """What was seen of a card. `pin` is how many bytes a PIN had that was right."""

    atr: bytes
    social: bool = False
    algorithm: int | None = None
    files: dict[str, File] = field(default_factory=dict)
    there: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    pin: int | None = None

    def file(self, address: str) -> File:
        """Return what was seen of a file."""
        return self.files.setdefault(address, File())


def asked(trace: Trace) -> Iterator[Asked]:
    """Yield the commands of a trace with their whole answers."""
    pending: list[Exchange] = []
    for exchange in trace.exchanges:
        if pending and exchange.command[:2] != _GET_RESPONSE:
            yield _whole(pending)
            pending = []
        pending.append(exchange)
    if pending:
        yield _whole(pending)


def observe(trace: Trace) -> Observed:
    """Look through a trace."""
    walk = _Walk(Observed(trace.atr))
    for one in asked(trace):
        walk.see(one)
    return walk.observed


def _whole(exchanges: list[Exchange]) -> Asked:
    data = b"".join(exchange.response[:-_WORD] for exchange in exchanges)
    masked = any(exchange.unread is not None for exchange in exchanges)
    return Asked(exchanges[0].command, data, exchanges[-1].response[-_WORD:], masked)


class _Walk:
    """Follows what is selected."""

    def __init__(self, observed: Observed) -> None:
        self.observed = observed
        self._application = _ELSEWHERE
        self._file = _ELSEWHERE

    def see(self, one: Asked) -> None:
        command = one.command
        if command[:2] == _SELECT and len(command) > _HEADER:
            self._selected(one)
        elif command[:2] == _READ_RECORD:
            self._record(one)
        elif command[:2] == _READ_BINARY:
            self._binary(one)
        elif command[:2] == _VERIFY and len(command) > _HEADER and one.word == _DONE:
            self.observed.pin = command[4]

    def _selected(self, one: Asked) -> None:
        target = one.command[_HEADER : _HEADER + one.command[4]]
        done = one.word == _DONE or one.word[:1] == bytes((_WAITING,))
        if one.command[2] == _BY_NAME:
            name = _application(target)
            self._file = _ELSEWHERE if done else self._file
            self._found(name, one.word, done=done)
            if done:
                self._application = name
            if target == SSSE_NAME and (done or one.word in _BLOCKED):
                # a card that is blocked for good has an environment all the same
                self.observed.social = True
                self.observed.algorithm = _algorithm(one.data) if done else self.observed.algorithm
            return
        self._by_identifier(int.from_bytes(target, "big"), one.word, done=done)

    def _by_identifier(self, fid: int, word: bytes, *, done: bool) -> None:
        application = next((one.name for one in APPLICATIONS.values() if one.fid == fid), None)
        if fid == MASTER_FILE:
            self._application, self._file = (_ELSEWHERE, _ELSEWHERE) if done else (self._application, self._file)
        elif application is not None:
            self._found(application, word, done=done)
            if done:
                self._application, self._file = application, _ELSEWHERE
        elif self._application != _ELSEWHERE:
            address = f"{self._application}EF{fid & 0xFF:02X}"
            self._found(address, word, done=done)
            self._file = address if done else self._file

    def _found(self, name: str, word: bytes, *, done: bool) -> None:
        if name and done:
            self.observed.there.add(name)
        elif name and word == _FILE_ABSENT:
            self.observed.missing.add(name)

    def _record(self, one: Asked) -> None:
        sfi, way = one.command[3] >> 3, one.command[3] & 7
        address = f"{self._application}EF{sfi:02X}" if sfi else self._file
        if _ELSEWHERE in {address, self._application}:
            return
        if one.word == _FILE_ABSENT and sfi:
            self.observed.missing.add(address)
        if one.word in _ABSENT and way == _BY_TAG:
            self.observed.file(address).absent.add(one.command[2])
        if one.word != _DONE or not one.data:
            return
        file = self.observed.file(address)
        file.masked |= one.masked
        self.observed.there.add(address)
        tagged = len(one.data) >= _TAGGED and one.data[1] == len(one.data) - _TAGGED
        if way == _BY_TAG and tagged:
            file.records.setdefault((one.command[2], 1), one.data[_TAGGED:])
            # what looked broken was its beginning
            file.broken.pop(one.command[2], None)
        elif way == _BY_TAG and (one.command[2], 1) not in file.records:
            file.broken[one.command[2]] = one.data
        elif way == _BY_NUMBER:
            file.whole[one.command[2]] = one.data

    def _binary(self, one: Asked) -> None:
        if self._file == _ELSEWHERE or one.word != _DONE or one.command[2] & 0x80:
            return
        file = self.observed.file(self._file)
        file.masked |= one.masked
        end = (one.command[2] << 8 | one.command[3]) + len(one.data)
        file.content.extend(bytes(max(0, end - len(file.content))))
        file.content[end - len(one.data) : end] = one.data


def _application(name: bytes) -> str:
    known = next((label for label, aid in AIDS.items() if aid == name), None)
    if known is None and name[:-1] == APPLICATION_ID and name[-1] >= 0x0A:  # noqa: PLR2004 # issuers' own
        return f"DF{name[-1]:02X}"
    return known or _ELSEWHERE


def _algorithm(fci: bytes) -> int | None:
    try:
        value = tlv.find(fci, *FCI_ALGORITHM)
    except tlv.TlvError:
        return None
    return value[0] if value else None
