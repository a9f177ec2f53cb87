"""BER-TLV as in answers to SELECT (ISO 7816-4 5.2.2), and the card's own records of one-byte tag and length."""

from collections.abc import Iterator
from typing import Final, Self

from cardd.base.structs import Struct

_MORE_TAG: Final = 0x1F
_TAG_GOES_ON: Final = 0x80
_CONSTRUCTED: Final = 0x20
_SHORT: Final = 0x80
_MAX_LENGTH_BYTES: Final = 3
_BYTE: Final = 0xFF


class TlvError(ValueError):
    """Bytes are no TLV. Tells the offset, never the bytes."""


class Tlv(Struct, frozen=True):
    """One data object. `tag` is its tag bytes as one number: 6F, 9F0C."""

    tag: int
    value: bytes

    @property
    def constructed(self) -> bool:
        """Tell whether the tag says that the value is a chain of data objects."""
        return bool(_tag_bytes(self.tag)[0] & _CONSTRUCTED)


def iterate(raw: bytes) -> Iterator[Tlv]:
    """Give the data objects one after the other, skipping 00 between them. Raises TlvError where one is broken."""
    at = 0
    while at < len(raw):
        if raw[at] == 0:
            at += 1
            continue
        start = at
        tag, at = _read_tag(raw, at)
        length, at = _read_length(raw, at)
        if at + length > len(raw):
            raise TlvError(f"object at offset {start} tells {length} bytes, {len(raw) - at} follow")
        yield Tlv(tag, raw[at : at + length])
        at += length


def parse(raw: bytes) -> tuple[Tlv, ...]:
    """Return all data objects of the outermost level. Raises TlvError."""
    return tuple(iterate(raw))


def find(raw: bytes, *path: int) -> bytes | None:
    """Return the value behind a path of tags, or None where a tag of the path is absent.

    Follows the path through any tag, because the card's template 9F0C is marked as primitive. Raises TlvError where
    bytes before the object sought are broken.
    """
    value = raw
    for tag in path:
        found = next((object_.value for object_ in iterate(value) if object_.tag == tag), None)
        if found is None:
            return None
        value = found
    return value


def encode(tag: int, value: bytes) -> bytes:
    """Write one data object with the shortest length field. Raises TlvError for a tag or length outside the rule."""
    head = _tag_bytes(tag)
    if _read_tag(head, 0) != (tag, len(head)) or head == b"\x00":
        raise TlvError(f"{tag:X} is no BER tag")
    length = len(value)
    if length < _SHORT:
        return head + bytes((length,)) + value
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    if len(octets) > _MAX_LENGTH_BYTES:
        raise TlvError(f"{length} bytes are too long for a data object")
    return head + bytes((_SHORT | len(octets),)) + octets + value


def _tag_bytes(tag: int) -> bytes:
    return tag.to_bytes(max(1, (tag.bit_length() + 7) // 8), "big")


def _read_tag(raw: bytes, start: int) -> tuple[int, int]:
    at = start + 1
    if raw[start] & _MORE_TAG == _MORE_TAG:
        while at < len(raw) and raw[at] & _TAG_GOES_ON:
            at += 1
        at += 1
    if at > len(raw):
        raise TlvError(f"tag at offset {start} is cut off")
    return int.from_bytes(raw[start:at], "big"), at


def _read_length(raw: bytes, at: int) -> tuple[int, int]:
    if at >= len(raw):
        raise TlvError(f"no length at offset {at}")
    first = raw[at]
    if first < _SHORT:
        return first, at + 1
    count = first - _SHORT
    if not 1 <= count <= _MAX_LENGTH_BYTES or at + 1 + count > len(raw):
        raise TlvError(f"length {first:02X} at offset {at} is not a definite length of up to {_MAX_LENGTH_BYTES} bytes")
    return int.from_bytes(raw[at + 1 : at + 1 + count], "big"), at + 1 + count


class Record(Struct, frozen=True):
    """One record of a variable-record file: tag (01 to FE), length and value of up to 255 bytes (LD/T 32.3).

    The tag is also the record's identifier. Its repr never tells the value: it may be a person's.
    """

    tag: int
    value: bytes

    def __post_init__(self) -> None:
        if not 0 < self.tag < _BYTE:
            raise TlvError(f"record tag {self.tag:02X} is not 01 to FE")
        if len(self.value) > _BYTE:
            raise TlvError(f"{len(self.value)} bytes do not fit one record")

    def __repr__(self) -> str:
        return f"<Record {self.tag:02X} {len(self.value)} bytes>"

    def encode(self) -> bytes:
        """Write tag, length, value."""
        return bytes((self.tag, len(self.value))) + self.value

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Read exactly one record, padding after it tolerated. Raises TlvError."""
        records = parse_records(raw)
        if len(records) != 1:
            raise TlvError(f"{len(records)} records where one is expected")
        return cls(records[0].tag, records[0].value)


def parse_records(raw: bytes) -> tuple[Record, ...]:
    """Split concatenated records. 00 or FF filling the rest is padding; anything else raises TlvError."""
    records = []
    at = 0
    while at < len(raw):
        if raw[at] in {0, _BYTE}:
            if raw[at:].strip(b"\x00\xff"):
                raise TlvError(f"padding at offset {at} is followed by other bytes")
            break
        end = at + 2 + raw[at + 1] if at + 1 < len(raw) else len(raw) + 1
        if end > len(raw):
            raise TlvError(f"record at offset {at} is cut off")
        records.append(Record(raw[at], raw[at + 2 : end]))
        at = end
    return tuple(records)
