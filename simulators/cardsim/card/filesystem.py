"""The tree of applications and elementary files, and the record rules of LD/T 32.3."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, IntEnum

from cardsim.card.keyring import PIN, HeldKey, Key, Pin
from cardsim.card.money_file import MoneyFile

Access = tuple[frozenset[str], ...]
"""Alternatives, each a set of rights that must all be there: `PIN or RK` is two, `PIN & RK` is one of two rights."""

FREE: Access = (frozenset(),)
NEVER: Access = ()


def needs(*rights: str) -> Access:
    """Return the condition that all of these rights are there."""
    return (frozenset(rights),)


def either(*rights: str) -> Access:
    """Return the condition that one of these rights is there."""
    return tuple(frozenset({right}) for right in rights)


class Structure(Enum):
    """How a record file is laid out."""

    VARIABLE = "linear, records are Tag Length Value"
    FIXED = "linear, records of one length"
    CYCLIC = "cyclic, records of one length, the newest is number 1"


class Mode(IntEnum):
    """The low three bits of P2 in READ RECORD and UPDATE RECORD."""

    FIRST = 0
    LAST = 1
    NEXT = 2
    PREVIOUS = 3
    NUMBER = 4
    FROM_NUMBER = 5
    TO_NUMBER = 6


@dataclass(slots=True)
class RecordFile:
    """A file of records. `size` is its space in bytes (variable records) or in records (the others).

    `tagged` says of records of one length that they begin with a tag and a length like the variable ones.
    """

    fid: int
    structure: Structure
    size: int
    read: Access
    write: Access
    records: list[bytes] = field(default_factory=list, repr=False)
    record_length: int = 0
    tagged: bool = False

    @property
    def identified(self) -> bool:
        """Say whether records are found by their first byte."""
        return self.tagged or self.structure is Structure.VARIABLE

    def find(self, identifier: int, mode: Mode, pointer: int | None) -> int | None:
        """Return the index of the record that an identifier means, seen from the pointer; None if there is none."""
        return next((index for index in self._order(mode, pointer) if self._carries(index, identifier)), None)

    def _order(self, mode: Mode, pointer: int | None) -> Iterator[int]:
        indexes = range(len(self.records))
        if mode is Mode.FIRST or (mode is Mode.NEXT and pointer is None):
            return iter(indexes)
        if mode is Mode.LAST or (mode is Mode.PREVIOUS and pointer is None):
            return reversed(indexes)
        here = pointer or 0
        return iter(indexes[here + 1 :]) if mode is Mode.NEXT else reversed(indexes[:here])

    def _carries(self, index: int, identifier: int) -> bool:
        # identifier 00 asks for a place in the sequence, whatever stands there
        return identifier == 0 or (self.identified and self.records[index][0] == identifier)

    def has_room(self, index: int, record: bytes) -> bool:
        """Say whether the record may stand at an index (one past the end: appended)."""
        if self.structure is not Structure.VARIABLE:
            return index < self.size
        return sum(map(len, self.records)) - len(b"".join(self.records[index : index + 1])) + len(record) <= self.size

    def put(self, index: int, record: bytes) -> None:
        """Replace the record at an index, or append it one past the end."""
        self.records[index : index + 1] = [record]

    def push(self, record: bytes) -> None:
        """Make the record number 1 of a cyclic file; the oldest gives way."""
        self.records[:] = [record, *self.records][: self.size]


@dataclass(slots=True)
class TransparentFile:
    """A file of bytes."""

    fid: int
    read: Access
    write: Access
    content: bytearray = field(repr=False)

    def put(self, offset: int, data: bytes) -> None:
        """Overwrite a part."""
        self.content[offset : offset + len(data)] = data


ElementaryFile = RecordFile | TransparentFile


@dataclass(slots=True, eq=False)
class Application:
    """The MF, an environment (DDF) or an application below one.

    `directory` is the proprietary part of its FCI, from A5 on. An `environment` has the PIN and the global keys that
    serve the applications below it. `money` is the account of a medical application, `vault` what a security module's
    application computes with. `on_antenna` marks one that only the antenna shows.
    """

    label: str
    fid: int
    name: bytes
    directory: bytes = b""
    pin: Pin | None = None
    files: dict[int, ElementaryFile] = field(default_factory=dict)
    keys: dict[int, Key] = field(default_factory=dict, repr=False)
    money: MoneyFile | None = field(default=None, repr=False)
    vault: dict[int, HeldKey] = field(default_factory=dict, repr=False)
    children: list[Application] = field(default_factory=list, repr=False)
    parent: Application | None = field(default=None, repr=False)
    is_environment: bool = False
    blocked: bool = False
    on_antenna: bool = False

    def add(self, child: Application) -> None:
        """Hang an application below this one."""
        child.parent = self
        self.children.append(child)

    @property
    def environment(self) -> Application | None:
        """Return the environment this application lies in (itself, if it is one); None for the MF."""
        node: Application | None = self
        while node is not None and not node.is_environment:
            node = node.parent
        return node

    @property
    def is_blocked(self) -> bool:
        """Say whether this application or the environment above it was blocked for good."""
        if self.blocked or self.is_environment or self.parent is None:
            return self.blocked
        return self.parent.is_blocked

    def key(self, kid: int) -> Key | None:
        """Return the key that a key identifier means here: local ones of this application, global ones above it."""
        holder = self if kid & 0x80 else self.environment
        return None if holder is None else holder.keys.get(kid)

    def walk(self) -> Iterator[Application]:
        """Yield this application and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()

    def by_sfi(self, sfi: int) -> ElementaryFile | None:
        """Return the file with a short identifier: the low five bits of its FID."""
        return next((file for fid, file in self.files.items() if fid & 0x1F == sfi), None)

    def neighbour(self, fid: int) -> Application | None:
        """Find an application by FID: itself, below, above, beside (ISO 7816-4)."""
        near = [self, *self.children]
        if self.parent is not None:
            near += [self.parent, *self.parent.children]
        return next((application for application in near if application.fid == fid), None)


def condition_text(access: Access) -> str:
    """Write a condition for people: `PIN & RK1DF04 or UK1DF04`."""
    if not access:
        return "never"
    return " or ".join(" & ".join(sorted(rights, key=_pin_first)) or "free" for rights in access)


def _pin_first(right: str) -> tuple[bool, str]:
    return right != PIN, right
