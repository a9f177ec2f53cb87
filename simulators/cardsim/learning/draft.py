"""The first draft of a persona: what a trace shows, with invented values in the place of the holder's.

Of a recorded value its number of bytes is taken, its padding, and whether it is digits, letters or Chinese: nothing
else. Only the card's class, the version of its rule and its answer to reset are the recorded ones.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from cardd.crypto.derive import HISTORICAL
from cardd.iso7816.atr import parse_atr
from cardd.iso7816.tlv import TlvError, encode, parse_records
from cardd.rules.applications import APPLICATIONS
from cardd.rules.compatibility import old_item
from cardd.rules.files import EF05, EF06, FILES, Generation, Structure
from cardd.rules.items import Form, Item, ItemType
from cardd.rules.layout import FileRule
from cardsim import stranger
from cardsim.card.answers import contact_atr, contactless_atr
from cardsim.learning.observed import File, NotLearnableError, Observed
from cardsim.learning.rehearsal import Document

_ROOT: Final = "00112233445566778899AABBCCDDEEFF"
_STK_ROOT: Final = "0123456789ABCDEF"
_ALGORITHMS: Final = {1: "des", 3: "sm4"}
_VERSIONS: Final = {b"1": "1.0", b"2": "2.0", b"3": "3.0"}
_TAG_AND_LENGTH: Final = 2
_NO_LENGTH: Final = 0xFF
_PADDING: Final = b"\x00\xff "
_ASCII: Final = 0x80
_NAME: Final = 0x09
_NAME_MORE: Final = 0x4E
_DATE: Final = bytes.fromhex("19000101")
_QUIRKS: Final = frozenset({("SSSEEF05", 0x02), ("SSSEEF05", 0x03), ("DF04EF05", 0x8F)})
"""Codes by which a card is known or does things: its class, its rule's version, whether it is for use offline."""
_QUIRK_BYTES: Final = 4
_HOLDER_LENGTHS: Final = {"social_security_number": 18, "name": 6}
"""How long they are taken to be where a trace hides it."""
_CARD_NUMBER: Final = 9


def draft(observed: Observed) -> tuple[Document, str]:
    """Return a persona's document, and the interface on which the card was recorded. Raises NotLearnableError."""
    if len(parse_atr(observed.atr).historical) != HISTORICAL:
        raise NotLearnableError(f"its answer to reset has not the {HISTORICAL} historical bytes that keys are made of")
    interface = "contactless" if _over_antenna(observed.atr) else "contact"
    document: Document = {
        "card": "social-security",
        "profile": _profile(observed),
        "interface": interface,
        "algorithm": _ALGORITHMS.get(observed.algorithm or 1, "des"),
        "atr": _contact_form(observed.atr).hex().upper(),
        "keys": {"root": _ROOT, "stk_root": _STK_ROOT},
        **_public(observed),
        "card_number": _card_number(observed),
        "holder": _holder(observed),
    }
    if observed.pin is not None:
        # a trace tells no PIN, and what stands in its place is this one
        document["pin"] = "00" * observed.pin
    generation = Generation(str(document["profile"]))
    raw, absent = dict(_raw(observed, generation)), sorted(_absent(observed, generation))
    return document | ({"raw": raw} if raw else {}) | ({"absent": absent} if absent else {}), interface


def _absent(observed: Observed, generation: Generation) -> Iterator[str]:
    """Yield what the card has not, though cards of its generation have it."""
    for name in observed.missing - observed.there:
        application, rule = APPLICATIONS.get(name), FILES.get(name)
        if application is not None and not application.optional:
            if any(file.exists_in(generation) for file in application.files):
                yield name
        elif rule is not None and rule.exists_in(generation) and rule.application not in observed.missing:
            yield name


def _over_antenna(atr: bytes) -> bool:
    return atr == contactless_atr(parse_atr(atr).historical)


def _contact_form(atr: bytes) -> bytes:
    return contact_atr(parse_atr(atr).historical) if _over_antenna(atr) else atr


def _profile(observed: Observed) -> str:
    version = observed.file(EF05.address).records.get((_tag(EF05, "specification_version"), 1), b"")
    guess = "3.0" if observed.algorithm == 3 else "2.0" if observed.algorithm is not None else "1.0"  # noqa: PLR2004
    return _VERSIONS.get(version[:1], guess)


def _public(observed: Observed) -> Document:
    """Return what tells of no person, where it can be said as a persona says it."""
    found: Document = {}
    for key in ("card_class", "specification_version"):
        value = observed.file(EF05.address).records.get((_tag(EF05, key), 1), b"").rstrip(_PADDING)
        if value and value.isascii() and value.decode().isprintable():
            found[key] = value.decode()
    return found


def _card_number(observed: Observed) -> str:
    file = observed.file(EF05.address)
    value = file.records.get((_tag(EF05, "card_number"), 1))
    # one of another length than the rule's is said byte for byte
    length = _CARD_NUMBER if value is None or file.masked else min(_CARD_NUMBER, len(value.rstrip(_PADDING)))
    return stranger.card_number(length)


def _holder(observed: Observed) -> Document:
    file = observed.file(EF06.address)

    def length(key: str) -> int:
        values = [file.records.get((tag, 1), b"") for tag in _tags(EF06, key)]
        known = any(values) and not file.masked
        length = len(b"".join(values).rstrip(_PADDING)) if known else _HOLDER_LENGTHS[key]
        return min(length, sum(item.length for item in EF06.items if item.tag in _tags(EF06, key)))

    def is_set(key: str) -> bool:
        value = file.records.get((_tag(EF06, key), 1))
        return value is None or file.masked or bool(value.strip(_PADDING))

    fixed = {"sex": "1", "ethnic_group": "01", "birthplace": "990000", "birth_date": "19000101"}
    return {
        "social_security_number": stranger.citizen_number(length("social_security_number")),
        "name": stranger.name(length("name")),
        **{key: value for key, value in fixed.items() if is_set(key)},
    }


def _tag(rule: FileRule, key: str) -> int:
    return next(item.tag for item in rule.items if item.key == key)


def _tags(rule: FileRule, key: str) -> tuple[int, ...]:
    return (_NAME, _NAME_MORE) if key == "name" else (_tag(rule, key),)


def _raw(observed: Observed, generation: Generation) -> Iterator[tuple[str, object]]:
    """Yield the files whose records or sizes say more than the rule does, byte for byte, with invented bytes."""
    for address, file in sorted(observed.files.items()):
        rule = FILES.get(address)
        if address == "SSSEEF1E":
            continue
        if rule is None:
            yield from _local(address, file)
        elif rule.structure_of(generation) is Structure.TRANSPARENT:
            if file.content and len(file.content) != rule.size:
                yield address, _invented(None, bytes(file.content)).hex().upper()
        elif rule.structure_of(generation) is Structure.CYCLIC:
            if file.whole:
                yield address, _cyclic(rule, file)
        elif file.broken:
            yield address, list(_as_they_are(rule, file, generation))
        elif values := dict(_values(rule, file, generation)):
            yield address, values


def _local(address: str, file: File) -> Iterator[tuple[str, object]]:
    if file.whole:
        yield address, [_record(None, file.whole[number]).hex().upper() for number in sorted(file.whole)]
    elif file.content:
        yield address, _invented(None, bytes(file.content)).hex().upper()


def _cyclic(rule: FileRule, file: File) -> list[str]:
    records = []
    for number in sorted(file.whole):
        raw, at, parts = file.whole[number], 0, []
        for item in rule.fields:
            parts.append(_invented(item, raw[at : at + item.length]))
            at += item.length
        records.append((b"".join(parts) + bytes(max(0, len(raw) - at)))[: len(raw)].hex().upper())
    return records


def _values(rule: FileRule, file: File, generation: Generation) -> Iterator[tuple[str, str]]:
    """Yield values by tag: those of other lengths than the rule's, and in other files than the holder's those set."""
    # many items of 1.0 had other lengths than the rule tells now
    old = generation is Generation.V1
    known = {item.tag: (old and old_item(rule.address, item.tag)) or item for item in rule.items_of(generation)}
    basic = rule.address in {EF05.address, EF06.address}
    for (tag, nth), value in sorted(_tagged(file).items()):
        item = known.get(tag)
        usual = item is not None and nth <= item.count and len(value) == item.length
        made = value if (rule.address, tag) in _QUIRKS and len(value) <= _QUIRK_BYTES else _invented(item, value)
        if not usual or (not basic and _is_set(item, value)):
            yield f"{tag:02X}" if nth == 1 else f"{tag:02X}:{nth}", made.hex().upper()
    for tag in sorted(file.absent & known.keys()):
        yield f"{tag:02X}", ""


def _as_they_are(rule: FileRule, file: File, generation: Generation) -> Iterator[str]:
    """Yield all records of a file of which some are no records with tag and length."""
    for item in rule.items_of(generation):
        value = file.records.get((item.tag, 1), bytes(item.length))
        if item.tag in file.broken:
            yield _broken(item, file.broken[item.tag], masked=file.masked).hex().upper()
        elif item.tag not in file.absent:
            yield (bytes((item.tag, len(value))) + _invented(item, value)).hex().upper()


def _broken(item: Item, record: bytes, *, masked: bool) -> bytes:
    """Return a record whose length is not its own; of a masked one no head is told, but it was found by its tag."""
    head = record[:_TAG_AND_LENGTH]
    if masked:
        right = len(record) - _TAG_AND_LENGTH
        head = bytes((item.tag, item.length if item.length != right else _NO_LENGTH))[: len(record)]
    return head + _invented(item, record[_TAG_AND_LENGTH:])


def _tagged(file: File) -> dict[tuple[int, int], bytes]:
    """Return the values by tag and number among its like, also those that were read by their numbers."""
    found = dict(file.records)
    counts: dict[int, int] = {}
    for number in sorted(file.whole):
        record = file.whole[number]
        if len(record) < _TAG_AND_LENGTH or record[1] != len(record) - _TAG_AND_LENGTH:
            continue
        counts[record[0]] = counts.get(record[0], 0) + 1
        found.setdefault((record[0], counts[record[0]]), record[_TAG_AND_LENGTH:])
    return found


def _record(item: Item | None, record: bytes) -> bytes:
    tagged = len(record) >= _TAG_AND_LENGTH and record[1] == len(record) - _TAG_AND_LENGTH
    return record[:_TAG_AND_LENGTH] + _invented(item, record[_TAG_AND_LENGTH:]) if tagged else _invented(item, record)


def _invented(item: Item | None, value: bytes) -> bytes:
    """Return bytes of the same number and kind as a value."""
    body = value.rstrip(_PADDING)
    padding = value[len(body) :]
    if not body:
        return value
    if item is not None and item.type is ItemType.B_TLV:
        with_inner = _chain(item, value)
        if with_inner is not None:
            return with_inner
    if item is not None and item.form in {Form.DATE, Form.TIME} and len(body) >= len(_DATE):
        return (_DATE + bytes(len(body)))[: len(body)] + padding
    if item is None or item.type is not ItemType.AN:
        return b"\x11" * len(body) + padding
    text = stranger.name(len(body)).encode("gbk") if max(body) >= _ASCII else b"9" * len(body)
    return text + padding


def _is_set(item: Item | None, value: bytes) -> bool:
    """Say whether there is more than padding, also inside the items of a chain."""
    if item is not None and item.type is ItemType.B_TLV:
        with suppress(TlvError):
            return any(_is_set(item.inner_item(one.tag), one.value) for one in parse_records(value))
    return bool(value.strip(_PADDING))


def _chain(item: Item, value: bytes) -> bytes | None:
    try:
        records = parse_records(value)
    except TlvError:
        return None
    made = b"".join(encode(one.tag, _invented(item.inner_item(one.tag), one.value)) for one in records)
    return made.ljust(len(value), value[-1:]) if len(made) <= len(value) else None
