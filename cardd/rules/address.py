"""Addresses of data on the card, as the national terminal driver writes them (LD/T 33; notice 人社信息函[2016]38号).

`SSSEEF06|08|09|$` names two items of one file, `DF01EF15|2A|40:2|$` an item that repeats, `DF04EF08|$` a whole file,
`DF04EF08:3|$` one record of it. Files follow each other without a separator. Spellings that drivers in the field use
are read too (`MFEF05`, `40:02`, `DF02EF07:01$`, lower case, the same file several times); one spelling is printed.
"""

import re

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Struct

ENVIRONMENT = "SSSE"
_ALIASES = {"MF": ENVIRONMENT}
_FILE = re.compile(r"(?P<application>SSSE|MF|DF[0-9A-F]{2})(?P<file>EF[0-9A-F]{2})(?::(?P<record>[0-9]{1,3}))?")
_ITEM = re.compile(r"(?P<tag>[0-9A-F]{2})(?::(?P<occurrence>[0-9]{1,3}))?")
_CERTIFICATES = "ACSE"
GROUP_END = "$"
SEPARATOR = "|"
_LAST_RECORD = 0xFE  # ISO 7816-4: record numbers are 01 to FE


class ItemAddress(Struct, frozen=True):
    """One data item of a file: its tag, and which one where the tag repeats (from 1; None where it does not)."""

    tag: int
    occurrence: int | None = None

    def __str__(self) -> str:
        return f"{self.tag:02X}" if self.occurrence is None else f"{self.tag:02X}:{self.occurrence}"


class FileAddress(Struct, frozen=True):
    """One file and what is meant of it: items, one record (from 1), or with neither the whole file."""

    application: str
    file: str
    record: int | None = None
    items: tuple[ItemAddress, ...] = ()

    @property
    def name(self) -> str:
        """Return application and file as one word: `SSSEEF06`."""
        return self.application + self.file

    @property
    def head(self) -> str:
        """Return what stands before the items: the name, and the record where one is meant."""
        return self.name if self.record is None else f"{self.name}:{self.record}"

    def __str__(self) -> str:
        return SEPARATOR.join([self.head, *map(str, self.items), GROUP_END])


def parse_address(text: str) -> tuple[FileAddress, ...]:
    """Read an address string.

    Raises CarddError(INVALID) that names the place, never more of the text than that.
    """
    groups = text.strip().upper().split(GROUP_END)
    if groups.pop():
        raise CarddError(Reason.INVALID, f"the address does not end with {GROUP_END}")
    if not groups:
        raise CarddError(Reason.INVALID, "the address is empty")
    return tuple(_group(group, number) for number, group in enumerate(groups, 1))


def print_address(files: tuple[FileAddress, ...]) -> str:
    """Write files in the one spelling that every driver reads."""
    return "".join(map(str, files))


def parse_item(text: str) -> ItemAddress:
    """Read one item: `81`, `40:2`. Raises CarddError(INVALID)."""
    match = _ITEM.fullmatch(text.strip().upper())
    if match is None:
        raise CarddError(Reason.INVALID, "an item is two hex digits, with :n where it repeats")
    return ItemAddress(int(match["tag"], 16), _number(match["occurrence"], "an occurrence"))


def parse_file(text: str, number: int = 1) -> FileAddress:
    """Read a file without items: `SSSEEF08`, `DF04EF08:3`.

    Raises CarddError for the `number`-th file: INVALID; NO_CERTIFICATE_APPLICATION for one of the certificates (ACSE).
    """
    written = text.strip().upper()
    if written.startswith(_CERTIFICATES):
        raise CarddError(Reason.NO_CERTIFICATE_APPLICATION, f"file {number} of the address: its layout is not public")
    match = _FILE.fullmatch(written)
    if match is None:
        raise CarddError(Reason.INVALID, f"file {number} of the address is no application and file such as DF01EF05")
    record = _number(match["record"], f"file {number}: a record")
    return FileAddress(_ALIASES.get(match["application"], match["application"]), match["file"], record)


def merge(files: tuple[FileAddress, ...]) -> tuple[FileAddress, ...]:
    """Return the address with each file once, in the order of first mention; what is named twice is kept once.

    A file that is also named as a whole is meant as a whole.
    """
    merged: dict[tuple[str, int | None], FileAddress] = {}
    for file in files:
        place = (file.name, file.record)
        known = merged.get(place)
        whole = not file.items or (known is not None and not known.items)
        items = () if whole else tuple(dict.fromkeys((*(known.items if known else ()), *file.items)))
        merged[place] = FileAddress(file.application, file.file, file.record, items)
    return tuple(merged.values())


def _group(text: str, number: int) -> FileAddress:
    head, *items = text.split(SEPARATOR)
    # the bar before the $ is there in the rule and missing in the field
    if items and not items[-1]:
        items.pop()
    file = parse_file(head, number)
    if file.record is not None and items:
        raise CarddError(Reason.INVALID, f"file {number} of the address names a record and items: keep one of them")
    return FileAddress(file.application, file.file, file.record, tuple(map(parse_item, items)))


def _number(text: str | None, what: str) -> int | None:
    if text is None:
        return None
    number = int(text)
    if not 1 <= number <= _LAST_RECORD:
        raise CarddError(Reason.INVALID, f"{what} is a number from 1 to {_LAST_RECORD}")
    return number
