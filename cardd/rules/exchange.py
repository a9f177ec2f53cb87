"""The driver's data strings: values in the places of the tags of an address (LD/T 33; notice 人社信息函[2016]38号).

The address `DF01EF0A|37|$` has the data `DF01EF0A|CHN|$`. A file without items has the texts of its records, the newest
first, or its one text.
"""

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Hidden, Struct
from cardd.rules.address import GROUP_END, SEPARATOR, FileAddress, parse_file


class FileData(Struct, frozen=True):
    """The texts of one file, in the order of its address's items or of its records; an empty text is not set."""

    file: FileAddress
    texts: Hidden[tuple[str, ...]]


def print_data(files: tuple[FileData, ...]) -> str:
    """Write the data of files in the order of their address.

    Raises CarddError(INVALID) where a text has a character that separates texts, and where texts and items differ in
    number.
    """
    return "".join(map(_print, files))


def parse_data(address: tuple[FileAddress, ...], text: str) -> tuple[FileData, ...]:
    """Read the data that belong to an address.

    Raises CarddError(INVALID) that names the place, never more of the text than that.
    """
    groups = text.strip("\r\n").split(GROUP_END)
    if groups.pop() or len(groups) != len(address):
        raise CarddError(Reason.INVALID, f"the data are not {len(address)} files, each with {GROUP_END} at its end")
    return tuple(_parse(file, group, at) for at, (file, group) in enumerate(zip(address, groups, strict=True), 1))


def _print(data: FileData) -> str:
    for text in data.texts:
        if SEPARATOR in text or GROUP_END in text:
            raise CarddError(Reason.INVALID, f"{data.file.name}: a text has {SEPARATOR} or {GROUP_END}")
    if data.file.items and len(data.file.items) != len(data.texts):
        raise CarddError(Reason.INVALID, f"{data.file.name}: {len(data.texts)} texts, {len(data.file.items)} items")
    return SEPARATOR.join([data.file.head, *data.texts, GROUP_END])


def _parse(file: FileAddress, group: str, number: int) -> FileData:
    head, *texts = group.split(SEPARATOR)
    named = parse_file(head, number)
    if (named.name, named.record) != (file.name, file.record):
        raise CarddError(Reason.INVALID, f"file {number} of the data is not {file.head}, as in the address")
    # the bar before the $ is there in the rule and missing in the field
    if texts and not texts[-1]:
        texts.pop()
    if file.items and len(texts) != len(file.items):
        raise CarddError(Reason.INVALID, f"file {number} of the data: {len(texts)} texts, {len(file.items)} items")
    return FileData(file, tuple(texts))
