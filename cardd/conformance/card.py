"""A card under test: a channel to it, and what a terminal that has its keys can do."""

from collections.abc import Callable, Iterator
from typing import Final, Protocol

from cardd.base.errors import CarddError
from cardd.conformance.checks import (
    LOCKED,
    FailedError,
    NotApplicableError,
    RefusedError,
    costs_a_try,
    holds,
    same,
)
from cardd.conformance.subject import Subject
from cardd.crypto.authentication import authentication_data
from cardd.crypto.block import Algorithm
from cardd.crypto.derive import session_key
from cardd.crypto.messaging import encipher, mac, mac_input
from cardd.iso7816.apdu import Command, Response
from cardd.iso7816.atr import parse_atr
from cardd.iso7816.channel import Channel
from cardd.iso7816.device import Transport
from cardd.iso7816.tlv import Record, TlvError, parse_records
from cardd.rules.access import PIN, Right
from cardd.rules.account import STARTING_DAY_KID
from cardd.rules.files import APPLICATIONS, EF05, FileRule, Structure
from cardd.rules.keys import KEYS, KeyName

ALL: Final = 256
DONE: Final = 0x9000
NO_RIGHT: Final = 0x6982
NO_CHALLENGE: Final = 0x6984
CARD_BLOCKED: Final = 0x6A81
FILE_ABSENT: Final = 0x6A82
RECORD_ABSENT: Final = 0x6A83
KEY_ABSENT: Final = 0x6A88
APPLICATION_BLOCKED: Final = 0x9303
ORIGINAL: Final = bytes(range(8))

_REGION: Final = 3
_CODE: Final = 0x01
_NUMBER, _PREVIOUS = 4, 3
_MOST_RECORDS: Final = 254
_NOT_SHOWN: Final = "the card is not shown its PIN and keys"


class Link(Protocol):
    """How commands come to a card that is under test.

    `tear` cuts its power during the next command, after so many bytes of its work; None where that cannot be done.
    """

    interface: str
    tear: Callable[[int], None] | None

    def cold_reset(self) -> bytes:
        """Take power away and give it again; return the answer to reset."""

    def warm_reset(self) -> bytes:
        """Reset without taking power away; return the answer to reset."""

    def transmit(self, command: bytes) -> bytes:
        """Return the answer; nothing if power went in the middle."""

    def other_side(self) -> bytes | None:
        """Return the answer to reset on the card's other interface, None where it has none or it cannot be asked."""


class Card:
    """One card on one link. Methods raise FailedError where the card does not do what they need."""

    def __init__(self, subject: Subject, link: Link) -> None:
        self.subject: Final = subject
        self.link: Final = link
        self.atr = link.cold_reset()
        self._channel = Channel(link.transmit, Transport.T0 if link.interface == "contact" else Transport.T1)
        # keys are derived with the region of the card's own identification code
        self._region = self._read_region()
        link.cold_reset()

    def _read_region(self) -> str:
        if self.select("SSSE") != DONE:
            return ""
        return self.read_tag(EF05, _CODE).data[2 : 2 + _REGION].hex()

    # -- commands

    def send(self, cla: int, ins: int, p1: int, p2: int, data: bytes = b"", le: int | None = None) -> Response:
        """Send a command and return its whole answer."""
        return self._channel.send(Command(cla, ins, p1, p2, data, le))

    def data(self, what: str, response: Response) -> bytes:
        """Return the data of an answer that has to be 9000."""
        same(what, response.sw, DONE)
        return response.data

    def restart(self) -> None:
        """Take power away and give it again."""
        self.link.cold_reset()

    # -- selecting

    @property
    def historical(self) -> bytes:
        """Return the historical bytes of the answer to reset."""
        return parse_atr(self.atr).historical

    def select_name(self, name: bytes) -> Response:
        """Select an application by its name."""
        return self.send(0x00, 0xA4, 0x04, 0x00, name, ALL)

    def select_fid(self, fid: int, p1: int) -> Response:
        """Select by identifier: applications with P1 00, files with P1 02 (they answer no data)."""
        return self.send(0x00, 0xA4, p1, 0x00, fid.to_bytes(2, "big"), None if p1 else ALL)

    def select(self, application: str) -> int:
        """Select an application of the rule by name, identifier or label, and return the status word."""
        rule = APPLICATIONS[application]
        return self.select_name(rule.aid or (rule.label or "").encode("gbk")).sw

    def go(self, application: str) -> None:
        """Select the environment and an application in it. Not applicable where one of them is blocked or absent."""
        for name in dict.fromkeys(("SSSE", application)):
            status = self.select(name)
            if status in {CARD_BLOCKED, APPLICATION_BLOCKED}:
                raise NotApplicableError("card blocked" if status == CARD_BLOCKED else f"{name} blocked")
            if status == FILE_ABSENT and APPLICATIONS[name].optional:
                raise NotApplicableError(f"no {name}")
            same(f"SELECT {name}", status, DONE)

    def applications(self) -> Iterator[str]:
        """Yield the applications that are there and open; the current one is the one that was yielded last."""
        self.go("SSSE")
        for name in APPLICATIONS:
            if self.select(name) == DONE:
                yield name

    def files(self) -> Iterator[FileRule]:
        """Yield the files of the rule that are there; their application is the current one."""
        for name in list(self.applications()):
            for rule in APPLICATIONS[name].files:
                self.go(name)
                if self.select_fid(rule.fid, 0x02).sw == DONE:
                    yield rule

    # -- rights

    def challenge(self, length: int = 8) -> bytes:
        """Return a challenge."""
        return self.data("GET CHALLENGE", self.send(0x00, 0x84, 0x00, 0x00, le=length))

    def pin(self, digits: str) -> bytes:
        """Return a PIN as the card stores it."""
        return bytes.fromhex(digits + "F" * (len(digits) % 2))

    def verify(self, digits: str) -> int:
        """Send VERIFY with a PIN (none: the question how many tries are left) and return the status word."""
        return self.send(0x00, 0x20, 0x00, 0x00, self.pin(digits)).sw

    def key(self, name: KeyName, version: int = 1) -> bytes:
        """Return one of the card's keys. Not applicable where its issuer has none."""
        try:
            key = self.subject.key(name, version, self._region, self.historical)
        except CarddError as error:
            raise NotApplicableError(f"no key can be derived: {error.detail}") from None
        if key is None:
            raise NotApplicableError(f"{name} version {version} not known" if self.subject.shown else _NOT_SHOWN)
        return key

    def prove(self, name: KeyName, version: int | None = None, *, right: bool = True) -> int:
        """Ask for a challenge and send EXTERNAL AUTHENTICATION, with wrong data if it is to fail; return the word.

        Not applicable where the card's key has no tries left. Raises RefusedError where the right data cost a try.
        """
        status = self.authenticate(name, self.proof(name, version, right=right))
        if not right:
            return status
        if status == LOCKED:
            raise NotApplicableError(f"{name} locked")
        if costs_a_try(status):
            raise RefusedError(f"EXTERNAL AUTHENTICATION {name}: {status:04X}, though its key should be right")
        return status

    def authenticate(self, name: KeyName, proof: bytes) -> int:
        """Send EXTERNAL AUTHENTICATION with data that were made before, and return the status word."""
        return self.send(0x00, 0x82, 0x00, kid(name), proof).sw

    def proof(self, name: KeyName, version: int | None = None, *, right: bool = True) -> bytes:
        """Ask for a challenge and return the data of EXTERNAL AUTHENTICATION; without a version those of the first."""
        key = self.key(name, version or 1)
        return self.answer(key, self.challenge(), version, right=right)

    def answer(self, key: bytes, challenge: bytes, version: int | None = None, *, right: bool = True) -> bytes:
        """Return the data of EXTERNAL AUTHENTICATION that answer a challenge."""
        data = authentication_data(self.subject.algorithm, key, challenge, ORIGINAL)
        if not right:
            data = bytes((data[0] ^ 1,)) + data[1:]
        return data + ORIGINAL + (b"" if version is None else bytes((version,)))

    def gain(self, way: frozenset[Right]) -> None:
        """Get rights in the current application. Not applicable where PIN or key are locked."""
        for right in sorted(way):
            if isinstance(right, KeyName):
                same(f"EXTERNAL AUTHENTICATION {right}", self.prove(right), DONE)
            else:
                self.gain_pin()

    def gain_pin(self) -> None:
        """Verify the PIN if there is one. Not applicable where it is locked, or not known."""
        if not self.has_pin():
            return
        status = self.verify(set_pin(self))
        if costs_a_try(status):
            raise RefusedError(f"VERIFY: {status:04X}, though the PIN should be right")
        same("VERIFY", status, DONE)

    def can_gain(self, way: frozenset[Right]) -> bool:
        """Say whether the rights can be had: no PIN that is locked, no key that nobody knows."""
        known = all(right in KEYS for right in way if isinstance(right, KeyName))
        usable = not self.subject.pin_locked and (self.subject.pin is not None or not self.has_pin())
        return known and (PIN not in way or usable)

    def has_pin(self) -> bool:
        """Say whether a PIN is set: as the issuer says, else as the card does, which spends no try."""
        return self.verify("") != DONE if self.subject.pin is None else bool(self.subject.pin)

    # -- secure messaging

    def maintenance(
        self, name: KeyName, header: tuple[int, int, int, int], plain: bytes | None = None, *, right: bool = True
    ) -> int:
        """Send a command with MAC (and cipher) under an STK, with a wrong MAC if it is to fail; return the word."""
        algorithm = self.subject.algorithm
        session = session_key(algorithm, self.key(name, 1), self.challenge())
        cipher = b"" if plain is None else encipher(algorithm, session, plain)
        made = mac(algorithm, session, mac_input(bytes(header), cipher))
        if not right:
            made = bytes((made[0] ^ 1,)) + made[1:]
        return self.send(*header, cipher + made).sw

    # -- reading and writing

    def read_tag(self, rule: FileRule, tag: int) -> Response:
        """Read the first record with a tag."""
        return self.send(0x00, 0xB2, tag, rule.sfi << 3, le=ALL)

    def read_number(self, rule: FileRule, number: int) -> Response:
        """Read a record by number."""
        return self.send(0x00, 0xB2, number, rule.sfi << 3 | _NUMBER, le=ALL)

    def read_some(self, rule: FileRule) -> Response:
        """Read the first record, or the first byte of a transparent file."""
        if self.is_transparent(rule):
            return self.send(0x00, 0xB0, 0x80 | rule.sfi, 0x00, le=1)
        return self.read_number(rule, 1)

    def read_all(self, rule: FileRule) -> list[bytes]:
        """Read all records of a file as they are stored."""
        records = []
        for number in range(1, _MOST_RECORDS):
            response = self.read_number(rule, number)
            if response.sw == RECORD_ABSENT:
                break
            records.append(self.data(f"READ RECORD {rule.address} {number}", response))
        return records

    def items(self, rule: FileRule) -> list[Record]:
        """Read all records of a file of tagged records."""
        try:
            return [record for raw in self.read_all(rule) for record in parse_records(raw)]
        except TlvError as error:
            raise FailedError(f"{rule.address}: {error}") from None

    def write_some(self, rule: FileRule, content: bytes) -> int:
        """Write the first record, the first byte, or (cyclic) one more record; return the status word."""
        if self.is_transparent(rule):
            return self.send(0x00, 0xD6, 0x80 | rule.sfi, 0x00, content).sw
        if self.structure(rule) is Structure.CYCLIC:
            return self.append(rule, content)
        return self.send(0x00, 0xDC, 0x01, rule.sfi << 3 | _NUMBER, content).sw

    def append(self, rule: FileRule, record: bytes) -> int:
        """Add a record to a cyclic file and return the status word."""
        return self.send(0x00, 0xDC, 0x00, rule.sfi << 3 | _PREVIOUS, record).sw

    def open_to_read(self, rule: FileRule) -> None:
        """Start anew and get the least rights that open a file for reading."""
        self.restart()
        self.go(rule.application)
        ways = [way for way in rule.read[self.subject.generation].ways if self.can_gain(way)]
        if not ways:
            raise NotApplicableError(f"{rule.address} cannot be opened")
        self.gain(min(ways, key=len))

    def structure(self, rule: FileRule) -> Structure:
        """Return how this card builds a file."""
        return rule.structure_of(self.subject.generation)

    def is_transparent(self, rule: FileRule) -> bool:
        """Say whether this card builds a file of bytes."""
        return self.structure(rule) is Structure.TRANSPARENT


def kid(name: KeyName) -> int:
    """Return a key's identifier on the card."""
    return STARTING_DAY_KID if name is KeyName.DSK else KEYS[name].kid


def place(name: KeyName) -> str:
    """Return the application in which a key lies."""
    return "DF04" if name is KeyName.DSK else KEYS[name].application


def set_pin(card: Card) -> str:
    """Return the card's PIN. Not applicable where none is set, where it is locked or not known."""
    if card.subject.pin is None:
        raise NotApplicableError("PIN not known" if card.subject.shown else _NOT_SHOWN)
    if not card.subject.pin:
        raise NotApplicableError("no PIN set")
    if card.subject.pin_locked:
        raise NotApplicableError("PIN locked")
    holds(card.verify("") != DONE, "VERIFY without data says that no PIN is set")
    return card.subject.pin


def is_des(card: Card) -> bool:
    """Say whether the card's cipher is DES."""
    return card.subject.algorithm is Algorithm.DES
