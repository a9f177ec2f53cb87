"""The social security environment SSSE (社会保障系统环境): what to send to it and what comes back (LD/T 32.5).

Status words go up as they are (StatusError), except where absence is an answer: an environment, a file or a record that
is not there is None.
"""

from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.cards.records import Stored, read_by_tag, update_by_tag
from cardd.crypto.block import Algorithm
from cardd.iso7816 import tlv
from cardd.iso7816.apdu import Command
from cardd.iso7816.channel import Channel
from cardd.iso7816.status import SW, StatusError, tries_left
from cardd.rules.files import EF1E, FileRule
from cardd.rules.names import FCI_ALGORITHM, FCI_DIRECTORY, SSF33_REGION, SSSE_NAME

BLOCK: Final = 8
"""Process factor, original data, challenge and authentication data are 8 bytes each."""

_WHOLE = 256


class Environment:
    """The social environment, selected. Whatever else is selected on the card ends it."""

    def __init__(self, channel: Channel, fci: bytes) -> None:
        self._channel = channel
        self._fci = fci
        self._algorithm = _number(fci, FCI_ALGORITHM)

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
        if self._algorithm is None:
            return Algorithm.SSF33 if region.startswith(SSF33_REGION) else Algorithm.DES
        try:
            return Algorithm(self._algorithm)
        except ValueError:
            raise CarddError(Reason.ALGORITHM_UNSUPPORTED, f"the card names algorithm {self._algorithm:02X}") from None

    @property
    def tells_algorithm(self) -> bool:
        """Tell whether the answer to SELECT names the card's algorithm."""
        return self._algorithm is not None

    @property
    def directory(self) -> int:
        """Return the short identifier of the directory file, the usual one where the answer to SELECT tells none."""
        number = _number(self._fci, FCI_DIRECTORY)
        return number if number is not None and number in _SHORT_IDENTIFIERS else EF1E.sfi

    @property
    def channel(self) -> Channel:
        """Return what the card is spoken to over."""
        return self._channel

    def read(self, file: FileRule, tag: int) -> Stored | None:
        """Read the record with that tag (never by number: numbers differ between generations); None if not there."""
        return read_by_tag(self._channel, file, tag)

    def internal_authentication(self, process_factor: bytes, original: bytes, version: int | None = None) -> bytes:
        """Have the card compute with its IRK over 8 + 8 bytes and return its 8 bytes (LD/T 32.5).

        `version` 1 to 3 names the key's generation; without it the card takes its first.
        """
        data = process_factor + original + _version_byte(version)
        return self._channel.expect(Command(0x00, 0x88, 0x00, 0x00, data, BLOCK))

    def challenge(self) -> bytes:
        """Ask for 8 random bytes, good for one use."""
        challenge = self._channel.expect(Command(0x00, 0x84, 0x00, 0x00, b"", BLOCK))
        if len(challenge) != BLOCK:
            raise CarddError(Reason.STATUS_WORD, f"the card's challenge has {len(challenge)} bytes instead of {BLOCK}")
        return challenge

    def external_authentication(self, kid: int, answer: bytes, original: bytes, version: int | None = None) -> None:
        """Prove a key to the card with 8 + 8 bytes over its last challenge. A failure costs one of the key's tries."""
        self._channel.expect(Command(0x00, 0x82, 0x00, kid, answer + original + _version_byte(version)))

    def update(self, file: FileRule, tag: int, value: bytes) -> None:
        """Write the record with that tag, whole; a record that is not there yet is appended."""
        update_by_tag(self._channel.expect, file, tag, value)

    def verify(self, block: Secret) -> None:
        """Compare a PIN, 2 to 8 bytes cn. A failure costs one of its tries."""
        self._channel.expect(Command(0x00, 0x20, 0x00, 0x00, block.reveal()))

    def change_pin(self, old: Secret, new: Secret) -> None:
        """Set a new PIN with the old one, each 2 to 8 bytes cn, or none (LD/T 32.5). A wrong old one costs a try."""
        self._channel.expect(Command(0x80, 0x5E, 0x01, 0x00, old.reveal() + b"\xff" + new.reveal()))

    def maintain(self, header: bytes, data: bytes) -> None:
        """Send a maintenance command: CLA INS P1 P2, and the cipher and MAC that a key service computed."""
        cla, ins, p1, p2 = header
        self._channel.expect(Command(cla, ins, p1, p2, data))

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


_SHORT_IDENTIFIERS = range(1, 0x1F)
_BLOCKED = frozenset({SW.FUNCTION_NOT_SUPPORTED, SW.APPLICATION_BLOCKED})


def _number(fci: bytes, path: tuple[int, ...]) -> int | None:
    try:
        value = tlv.find(fci, *path)
    except tlv.TlvError:
        return None
    return int.from_bytes(value, "big") if value else None


def _version_byte(version: int | None) -> bytes:
    return b"" if version is None else bytes((version,))
