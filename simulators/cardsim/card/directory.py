"""The directory file of an environment: an entry for each of its applications (LD/T 32.3 6.3)."""

from collections.abc import Iterable
from typing import Final

from cardd.iso7816.tlv import parse_records
from cardd.rules.directory import Entry
from cardsim.card.contents import SPARE
from cardsim.card.filesystem import FREE, NEVER, RecordFile, Structure
from cardsim.toggles import Toggles

_BASE: Final = 0xEF00


def directory_file(entries: Iterable[Entry], toggles: Toggles) -> RecordFile:
    """Make the file, read by anybody and written by nobody."""
    records = [_record(entry, toggles) for entry in entries]
    size = sum(map(len, records)) + SPARE
    return RecordFile(_BASE | directory_sfi(toggles), Structure.VARIABLE, size, FREE, NEVER, records)


def directory_sfi(toggles: Toggles) -> int:
    """Return the directory's short identifier."""
    return int(toggles.directory_sfi, 16)


def _record(entry: Entry, toggles: Toggles) -> bytes:
    record = entry.encode()
    if toggles.directory_entries == "enveloped":
        return record
    (envelope,) = parse_records(record)
    return envelope.value
