"""The social security environment SSSE (社会保障系统环境): what to send to it and what comes back (LD/T 32.5).

Status words go up as they are (StatusError), except where absence is an answer: an environment, a file or a record that
is not there is None.
"""

from dataclasses import dataclass
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.crypto.block import Algorithm
from cardd.iso7816 import tlv
from cardd.iso7816.apdu import Command
from cardd.iso7816.channel import Channel
from cardd.iso7816.status import SW, StatusError, tries_left
from cardd.rules.files import FileRule
from cardd.rules.names import FCI_ALGORITHM, SSF33_REGION, SSSE_NAME

BLOCK: Final = 8
"""Process factor, original data, challenge and authentication data are 8 bytes each."""

_WHOLE = 256
_HEADER = 2
_BY_TAG = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """What lies under a tag: the record's value, or the whole answer and why it is no such record."""

    raw: bytes
    fault: str | None = None

    def __repr__(self) -> str:
        return f"<Stored of {len(self.raw)} bytes{f': {self.fault}' if self.fault else ''}>"


class Environment:
    """The social environment, selected. Whatever else is selected on the card ends it."""

    def __init__(self, channel: Channel, fci: bytes) -> None:
        self._channel = channel
        self._fci = fci

    @classmethod
    def select(cls, channel: Channel) -> "Environment | None":
        """Select the environment by name (LD/T 32.5, SELECT); None where the card has none.

        Foreign cards refuse with many words; only those that say "blocked" go up as StatusError. A PSAM has an
        environment of the same name: what lies inside tells them apart.
        """
        select = Command(0x00, 0xA4, 0x04, 0x00, SSSE_NAME, _WHOLE)
        response = channel.send(select)
        if response.sw in _BLOCKED:
            raise StatusError(response.sw, select)
        return cls(channel, response.data) if response.ok else None

    def algorithm(self, region: str) -> Algorithm:
        """Return the card's algorithm: what the answer to SELECT says, else what the region (six digits) implies.

        Raises CarddError(ALGORITHM_UNSUPPORTED) for a number that the rule does not know.
        """
        number = _algorithm_number(self._fci)
        if number is None:
            return Algorithm.SSF33 if region.startswith(SSF33_REGION) else Algorithm.DES
        try:
            return Algorithm(number)
        except ValueError:
            raise CarddError(Reason.ALGORITHM_UNSUPPORTED, f"the card names algorithm {number:02X}") from None

    def read(self, file: FileRule, tag: int) -> Stored | None:
        """Read the record with that tag (never by number: numbers differ between generations); None if not there."""
        try:
            answer = self._channel.expect(_read_record(file, tag, _expected_length(file, tag)))
            if _declared_length(answer) > len(answer):
                # a card may cut a record that is longer than the rule says
                answer = self._channel.expect(_read_record(file, tag, min(_declared_length(answer), _WHOLE)))
        except StatusError as error:
            if error.sw in _ABSENT:
                return None
            raise
        return _stored(tag, answer)

    def internal_authentication(self, process_factor: bytes, original: bytes) -> bytes:
        """Have the card compute with its IRK over 8 + 8 bytes and return its 8 bytes (LD/T 32.5)."""
        return self._channel.expect(Command(0x00, 0x88, 0x00, 0x00, process_factor + original, BLOCK))

    def challenge(self) -> bytes:
        """Ask for 8 random bytes, good for one use."""
        challenge = self._channel.expect(Command(0x00, 0x84, 0x00, 0x00, b"", BLOCK))
        if len(challenge) != BLOCK:
            raise CarddError(Reason.STATUS_WORD, f"the card's challenge has {len(challenge)} bytes instead of {BLOCK}")
        return challenge

    def external_authentication(self, kid: int, answer: bytes, original: bytes) -> None:
        """Prove a key to the card with 8 + 8 bytes over its last challenge. A failure costs one of the key's tries."""
        self._channel.expect(Command(0x00, 0x82, 0x00, kid, answer + original))

    def update(self, file: FileRule, tag: int, value: bytes) -> None:
        """Write the record with that tag, whole; a record that is not there yet is appended."""
        record = bytes((tag, len(value))) + value
        self._channel.expect(Command(0x00, 0xDC, tag, file.sfi << 3 | _BY_TAG, record))

    def verify(self, block: Secret) -> None:
        """Compare a PIN, 2 to 8 bytes cn. A failure costs one of its tries."""
        self._channel.expect(Command(0x00, 0x20, 0x00, 0x00, block.reveal()))

    def pin_tries(self) -> int | None:
        """Ask how many tries the PIN has left, which costs none; None where no PIN is set, 0 where it is locked."""
        query = Command(0x00, 0x20, 0x00, 0x00)
        response = self._channel.send(query)
        if response.ok:
            return None
        left = 0 if response.sw == SW.AUTHENTICATION_LOCKED else tries_left(response.sw)
        if left is None:
            raise StatusError(response.sw, query)
        return left


_BLOCKED = frozenset({SW.FUNCTION_NOT_SUPPORTED, SW.APPLICATION_BLOCKED})
_ABSENT = frozenset({SW.FILE_NOT_FOUND, SW.RECORD_NOT_FOUND})


def _algorithm_number(fci: bytes) -> int | None:
    try:
        value = tlv.find(fci, *FCI_ALGORITHM)
    except tlv.TlvError:
        return None
    return int.from_bytes(value, "big") if value else None


def _expected_length(file: FileRule, tag: int) -> int:
    item = file.item(tag)
    return item.length + _HEADER if item else _WHOLE


def _read_record(file: FileRule, tag: int, length: int) -> Command:
    return Command(0x00, 0xB2, tag, file.sfi << 3 | _BY_TAG, b"", length)


def _declared_length(answer: bytes) -> int:
    return answer[1] + _HEADER if len(answer) >= _HEADER else _HEADER


def _stored(tag: int, answer: bytes) -> Stored:
    if len(answer) < _HEADER:
        return Stored(answer, f"a record of {len(answer)} bytes")
    if answer[0] != tag:
        return Stored(answer, f"a record with tag {answer[0]:02X} where {tag:02X} was asked for")
    value = answer[_HEADER : _declared_length(answer)]
    if len(value) != answer[1]:
        return Stored(answer, f"a record that says {answer[1]} bytes and has {len(value)}")
    return Stored(value)
