"""Items between bytes on the card and text for people (LD/T 32.6 7).

Faults never repeat the value: it may be a person's.
"""

import re
import unicodedata
from datetime import date, time
from typing import Final

from cardd.iso7816.tlv import Record, TlvError, parse_records
from cardd.rules.files import EF06
from cardd.rules.items import Form, Item, ItemType

_PADDING: Final = b"\x00\xff "
_DATE: Final = 8
_ENCODING: Final = "gb18030"
_YUAN: Final = re.compile(r"([0-9]{1,8})\.([0-9]{2})", re.ASCII)
_FEN: Final = 100

SEPARATOR: Final = "^"
"""Stands behind each field of an untagged record and each inner item of a B-TLV, also the last."""


class ValueFault(ValueError):  # noqa: N818 - a fault of the value, told beside it
    """A value does not follow the rule."""


def decode(item: Item, raw: bytes) -> str | None:
    """Read an item's raw value as text, or None where it is not set (nothing but padding).

    cn gives digits without padding (a date stays YYYYMMDD, and must be a day of the calendar), identifiers and binary
    give upper-case hexadecimal of every byte, money in binary gives yuan (`12.50`), an gives characters. A B-TLV gives
    the texts of its inner items in the rule's order, each with `^` behind it, an absent one as an empty text; what the
    rule does not know inside it is left out. Any length is read: cards vary.

    Raises ValueFault.
    """
    if item.type is ItemType.AN:
        return _decode_characters(item.key, raw[: item.length] if item.form is Form.HEAD else raw)
    if item.type is ItemType.B:
        return _decode_binary(item, raw)
    if item.type is ItemType.B_TLV:
        return _decode_chain(item, raw)
    if item.form is Form.IDENTIFIER:
        return raw.hex().upper() if raw.strip(b"\xff") else None
    return _decode_digits(item, raw)


def encode(item: Item, text: str) -> bytes:
    """Write text as an item's raw value, exactly `item.length` bytes; an empty text is written as padding.

    Takes what `decode` gives. Raises ValueFault for text that is too long or cannot be stored so.
    """
    if item.type is ItemType.AN:
        return _encode_characters(item.key, text, item.length)
    if item.type is ItemType.B:
        return _encode_binary(item, text)
    if item.type is ItemType.B_TLV:
        return _encode_chain(item, text)
    if item.form is Form.IDENTIFIER:
        return _encode_bytes(item, text) if text else b"\xff" * item.length
    return _encode_digits(item, text)


def join_texts(items: tuple[Item, ...], texts: list[str | None]) -> str | None:
    """Write texts one after the other, each with `^` behind it; None where none is set.

    Raises ValueFault where a text has that character itself.
    """
    for item, text in zip(items, texts, strict=True):
        if text and SEPARATOR in text:
            raise ValueFault(f"{item.key}: the text has a {SEPARATOR}, which separates texts")
    return "".join(f"{text or ''}{SEPARATOR}" for text in texts) if any(texts) else None


def split_texts(key: str, items: tuple[Item, ...], text: str) -> list[str]:
    """Read the texts of items that follow each other; an empty text is none of them set. Raises ValueFault."""
    texts = text.removesuffix(SEPARATOR).split(SEPARATOR) if text else [""] * len(items)
    if len(texts) != len(items):
        raise ValueFault(f"{key}: {len(texts)} texts, there are {len(items)}")
    return texts


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
    _check_moment(item, text)
    return text


def _check_moment(item: Item, text: str) -> None:
    if item.form is Form.DATE:
        _check_date(item, text)
    if item.form is Form.TIME:
        _check_date(item, text[:_DATE])
        try:
            time(int(text[8:10]), int(text[10:12]), int(text[12:]))
        except ValueError:
            raise ValueFault(f"{item.key}: no time of day behind the date") from None


def _check_date(item: Item, text: str) -> None:
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
        _check_moment(item, text)
    return bytes.fromhex(text.ljust(2 * item.length, "F"))


def _decode_binary(item: Item, raw: bytes) -> str | None:
    if not raw:
        return None
    if item.form is Form.YUAN:
        yuan, fen = divmod(int.from_bytes(raw, "big"), _FEN)
        return f"{yuan}.{fen:02d}"
    return raw.hex().upper()


def _encode_binary(item: Item, text: str) -> bytes:
    if not text:
        return bytes(item.length)
    return _encode_money(item, text) if item.form is Form.YUAN else _encode_bytes(item, text)


def _encode_money(item: Item, text: str) -> bytes:
    match = _YUAN.fullmatch(text)
    if match is None:
        raise ValueFault(f"{item.key}: money is yuan with two decimals")
    try:
        return (int(match[1]) * _FEN + int(match[2])).to_bytes(item.length, "big")
    except OverflowError:
        raise ValueFault(f"{item.key}: more money than {item.length} bytes hold") from None


def _decode_chain(item: Item, raw: bytes) -> str | None:
    try:
        records = parse_records(raw)
    except TlvError as error:
        raise ValueFault(f"{item.key}: {error}") from None
    # the first of two with one tag counts
    found = {record.tag: record.value for record in reversed(records)}
    try:
        return join_texts(item.inner, [decode(inner, found.get(inner.tag, b"")) for inner in item.inner])
    except ValueFault as fault:
        raise ValueFault(f"{item.key}, {fault}") from None


def _encode_chain(item: Item, text: str) -> bytes:
    texts = split_texts(item.key, item.inner, text)
    try:
        records = [Record(inner.tag, encode(inner, part)) for inner, part in zip(item.inner, texts, strict=True)]
    except ValueFault as fault:
        raise ValueFault(f"{item.key}, {fault}") from None
    return b"".join(record.encode() for record in records)


def _encode_bytes(item: Item, text: str) -> bytes:
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raise ValueFault(f"{item.key}: hexadecimal digits only") from None
    if len(raw) != item.length:
        raise ValueFault(f"{item.key}: {len(raw)} bytes, the rule has {item.length}")
    return raw
