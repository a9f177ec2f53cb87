"""Entries of the directory file: which applications a card has (LD/T 32.3 6.3)."""

from typing import Final

from cardd.base.structs import Struct
from cardd.iso7816.tlv import Record, TlvError, encode, find

ENTRY: Final = 0x70
APPLICATION: Final = 0x61
AID: Final = 0x4F
LABEL: Final = 0x50


class Entry(Struct, frozen=True):
    """One application: its identifier (empty where it has none) and its label; an environment's entry has no label."""

    aid: bytes
    label: str | None = None

    def encode(self) -> bytes:
        """Write the record."""
        label = b"" if self.label is None else encode(LABEL, self.label.encode("gbk"))
        return Record(ENTRY, encode(APPLICATION, encode(AID, self.aid) + label)).encode()


def read_entry(record: Record) -> Entry | None:
    """Read a record of the directory, None where it is no entry. A label that is no GBK text is kept as it can be."""
    if record.tag != ENTRY:
        return None
    try:
        aid, label = find(record.value, APPLICATION, AID), find(record.value, APPLICATION, LABEL)
    except TlvError:
        return None
    if aid is None and label is None:
        return None
    return Entry(aid or b"", None if label is None else label.rstrip(b"\x00").decode("gbk", errors="replace"))
