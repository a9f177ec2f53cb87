"""Items between bytes on the card and text for people (LD/T 32.6 7).

Faults never repeat the value: it may be a person's.
"""

import unicodedata
from datetime import date
from typing import Final

from cardd.rules.files import EF06
from cardd.rules.items import Form, Item, ItemType

_PADDING: Final = b"\x00\xff "
_DATE: Final = 8
_ENCODING: Final = "gb18030"


class ValueFault(ValueError):  # noqa: N818 - a fault of the value, told beside it
    """A value does not follow the rule."""


def decode(item: Item, raw: bytes) -> str | None:
    """Read an item's raw value as text, or None where it is not set (nothing but padding).

    cn gives digits without padding (a date stays YYYYMMDD, and must be a day of the calendar), identifiers and binary
    give upper-case hexadecimal of every byte, an gives characters. Any length is read: cards vary.

    Raises ValueFault.
    """
    if item.type is ItemType.B:
        return raw.hex().upper() if raw else None
    if item.type is ItemType.AN:
        return _decode_characters(item.key, raw[: item.length] if item.form is Form.HEAD else raw)
    if item.form is Form.IDENTIFIER:
        return raw.hex().upper() if raw.strip(b"\xff") else None
    return _decode_digits(item, raw)


def encode(item: Item, text: str) -> bytes:
    """Write text as an item's raw value, exactly `item.length` bytes; an empty text is written as padding.

    Raises ValueFault for text that is too long or cannot be stored so.
    """
    if item.type is ItemType.AN:
        return _encode_characters(item.key, text, item.length)
    if item.type is ItemType.B:
        return _encode_bytes(item, text) if text else bytes(item.length)
    if item.form is Form.IDENTIFIER:
        return _encode_bytes(item, text) if text else b"\xff" * item.length
    return _encode_digits(item, text)


def join_name(raw09: bytes, raw4e: bytes | None = None) -> str | None:
    """Read a name from tag 09 and, where the card has it, its extension in tag 4E; None where it is not set.

    The two are joined before they are decoded: the border may lie inside a character. Raises ValueFault.
    """
    # A full tag 09 never ends in 00 or FF, so this changes nothing for cards that keep the rule.
    return _decode_characters("name", raw09.rstrip(b"\x00\xff") + (raw4e or b""))


def split_name(text: str) -> tuple[bytes, bytes]:
    """Write a name as the raw values of tags 09 (30 bytes) and 4E (20 bytes). Raises ValueFault."""
    head, tail = (item.length for item in EF06.items if item.tag in {0x09, 0x4E})
    raw = _encode_characters("name", text, head + tail)
    return raw[:head], raw[head:]


def iso_date(text: str) -> str:
    """Turn YYYYMMDD into YYYY-MM-DD. Raises ValueFault for anything that is no day of the calendar."""
    if len(text) != _DATE or not _digits(text):
        raise ValueFault(f"a date has eight digits YYYYMMDD, this has {len(text)} characters")
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:])).isoformat()
    except ValueError:
        raise ValueFault("the date is no day of the calendar") from None


def _digits(text: str) -> bool:
    return text.isascii() and (text.isdigit() or not text)


def _decode_digits(item: Item, raw: bytes) -> str | None:
    if item.form is Form.DATE and len(raw) == _DATE and raw.isdigit():
        raise ValueFault(f"{item.key}: the date is stored as ASCII characters, not as packed digits")
    text = raw.hex().upper().rstrip("F")
    if not text:
        return None
    if not _digits(text):
        raise ValueFault(f"{item.key}: a nibble is no digit")
    _check_date(item, text)
    return text


def _check_date(item: Item, text: str) -> None:
    if item.form is not Form.DATE:
        return
    try:
        iso_date(text)
    except ValueFault as fault:
        raise ValueFault(f"{item.key}: {fault}") from None


def _decode_characters(key: str, raw: bytes) -> str | None:
    used = raw.rstrip(_PADDING)
    if not used:
        return None
    try:
        text = used.decode(_ENCODING)
    except UnicodeDecodeError as error:
        raise ValueFault(f"{key}: byte {error.start + 1} is no GB 18030 text") from None
    if _controls(text):
        raise ValueFault(f"{key}: a control character stands inside the text")
    return text


def _controls(text: str) -> bool:
    return any(unicodedata.category(character) in {"Cc", "Cs"} for character in text)


def _encode_characters(key: str, text: str, length: int) -> bytes:
    if _controls(text) or text.endswith(" "):
        raise ValueFault(f"{key}: control characters and a blank at the end cannot be stored")
    raw = text.encode(_ENCODING)
    if len(raw) > length:
        raise ValueFault(f"{key}: {len(raw)} bytes, there is room for {length}")
    return raw.ljust(length, b"\x00")


def _encode_digits(item: Item, text: str) -> bytes:
    if not _digits(text):
        raise ValueFault(f"{item.key}: digits only")
    if len(text) > 2 * item.length:
        raise ValueFault(f"{item.key}: {len(text)} digits, there is room for {2 * item.length}")
    if text:
        _check_date(item, text)
    return bytes.fromhex(text.ljust(2 * item.length, "F"))


def _encode_bytes(item: Item, text: str) -> bytes:
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raise ValueFault(f"{item.key}: hexadecimal digits only") from None
    if len(raw) != item.length:
        raise ValueFault(f"{item.key}: {len(raw)} bytes, the rule has {item.length}")
    return raw
