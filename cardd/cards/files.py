"""Applications of the social security card, and files as they lie in them (LD/T 32.3 6; LD/T 32.5, SELECT).

An application or a file that is not there is an answer, no error; every other status word goes up as it is.
"""

from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from cardd.cards import records
from cardd.iso7816.apdu import MAX_LE, Command
from cardd.iso7816.channel import Channel
from cardd.iso7816.status import SW, StatusError
from cardd.iso7816.tlv import Record, TlvError, encode, parse_records
from cardd.rules.applications import APPLICATIONS
from cardd.rules.applications.ssse import EF1E
from cardd.rules.directory import APPLICATION, ENTRY, Entry, read_entry
from cardd.rules.layout import FileRule

_SELECT: Final = 0xA4
_READ_BINARY: Final = 0xB0
_UPDATE_BINARY: Final = 0xD6
_CHUNK: Final = 0xF8
"""Bytes of a transparent file in one command: a little less than what fits, which some readers cannot carry."""
_LAST_RECORD: Final = 0xFE
_ENVIRONMENT: Final = "SSSE"
_OTHER_WAYS: Final = frozenset({SW.WRONG_P1_P2, SW.FUNCTION_NOT_SUPPORTED})


class CardFiles:
    """What is selected on an open social security card. The environment is, to begin with."""

    def __init__(self, channel: Channel, directory: int = EF1E.sfi) -> None:
        """Take the channel, and the directory's short identifier, which the environment's answer to SELECT tells."""
        self._channel = channel
        self._directory = directory
        self._application: str | None = _ENVIRONMENT

    def select_application(self, name: str) -> bool:
        """Select an application of the rule (`DF04`, `SSSE`) unless it is; False where the card has none.

        Those without an identifier are found by their label in the directory, and without a directory by their file
        identifier. Raises StatusError, 9303 for one that is blocked.
        """
        if self._application == name:
            return True
        application = APPLICATIONS[name]
        found = self._by_name(application.aid) if application.aid is not None else self._by_label(name)
        self._application = name if found else None
        return found

    def select_file(self, file: FileRule) -> bool:
        """Make a file of the selected application the current one; False where there is none. Raises StatusError."""
        identifier = file.fid.to_bytes(2, "big")
        try:
            return self._is_there(Command(0x00, _SELECT, 0x02, 0x00, identifier))
        except StatusError as error:
            if error.sw not in _OTHER_WAYS:
                raise
        # some cards find files only the way they find applications
        return self._is_there(Command(0x00, _SELECT, 0x00, 0x00, identifier))

    def read_transparent(self, size: int) -> bytes:
        """Read the current file from its beginning, `size` bytes or as many as there are. Raises StatusError."""
        parts: list[bytes] = []
        offset = 0
        while offset < size:
            part = self._read_binary(offset, min(_CHUNK, size - offset))
            parts.append(part)
            offset += len(part)
            if len(part) < _CHUNK:
                break
        return b"".join(parts)

    def update_transparent(self, send: records.Send, content: bytes) -> None:
        """Write the current file from its beginning by what sends commands. Raises StatusError."""
        for offset in range(0, len(content), _CHUNK):
            part = content[offset : offset + _CHUNK]
            send(Command(0x00, _UPDATE_BINARY, offset >> 8, offset & 0xFF, part))

    def directory(self) -> tuple[Entry, ...] | None:
        """Read which applications the card says it has, None where it does not say. The environment is selected."""
        if not self.select_application(_ENVIRONMENT):
            return None
        found = tuple(_entries(self._channel, self._directory))
        return found or None

    def _by_name(self, name: bytes) -> bool:
        return self._is_there(Command(0x00, _SELECT, 0x04, 0x00, name, MAX_LE))

    def _by_label(self, name: str) -> bool:
        application = APPLICATIONS[name]
        entries = self.directory()
        if entries is not None:
            entry = next((entry for entry in entries if entry.label == application.label), None)
            if entry is None:
                return False
            if entry.aid:
                return self._by_name(entry.aid)
        return self._is_there(Command(0x00, _SELECT, 0x00, 0x00, application.fid.to_bytes(2, "big"), MAX_LE))

    def _is_there(self, select: Command) -> bool:
        response = self._channel.send(select)
        if response.ok:
            return True
        if response.sw == SW.FILE_NOT_FOUND:
            return False
        raise StatusError(response.sw, select)

    def _read_binary(self, offset: int, length: int) -> bytes:
        try:
            return self._channel.expect(Command(0x00, _READ_BINARY, offset >> 8, offset & 0xFF, b"", length))
        except StatusError as error:
            if error.sw == SW.OFFSET_OUTSIDE_FILE and offset:
                return b""
            raise


def select_by_name(channel: Channel, name: bytes) -> int:
    """Select an application by its name or identifier, and return the status word."""
    return channel.send(Command(0x00, _SELECT, 0x04, 0x00, name, MAX_LE)).sw


def _entries(channel: Channel, sfi: int) -> Iterator[Entry]:
    directory = replace(EF1E, address=f"{_ENVIRONMENT}EF{sfi:02X}")
    for number in range(1, _LAST_RECORD + 1):
        raw = records.read_by_number(channel, directory, number, MAX_LE)
        if raw is None:
            return
        try:
            parsed = parse_records(raw)
        except TlvError:
            continue
        yield from filter(None, map(_entry, parsed))


def _entry(record: Record) -> Entry | None:
    # some cards leave the envelope of an entry out
    bare = record.tag == APPLICATION
    return read_entry(Record(ENTRY, encode(APPLICATION, record.value)) if bare else record)
