"""Cases of files, items and their bytes: C-REC, C-CYC, C-TRN, C-60."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from cardd.conformance.card import DONE, FILE_ABSENT, NO_RIGHT, Card
from cardd.conformance.case import Case, Cost
from cardd.conformance.checks import FailedError, NotApplicableError, holds, same
from cardd.iso7816.tlv import Record, TlvError, parse_records
from cardd.rules.compatibility import OLD_FILES, old_item
from cardd.rules.content import Value, read_records
from cardd.rules.files import APPLICATIONS, EF05, EF06, FileRule, Generation, Structure
from cardd.rules.identity import APPLICATION_ID
from cardd.rules.items import Item, ItemType
from cardd.rules.values import encode

_ORGANISATION: Final = bytes.fromhex("9156000002")
_OUTSIDE_FILE: Final = 0x6B00
_UNEMPLOYMENT: Final = 0x60
_UNEMPLOYMENT_FILES: Final = ("DF02EF06", "DF03EF05")


def basic_data(card: Card) -> None:
    """Find all items of EF05 and EF06 in order, at full length, of their types; codes and dates make sense."""
    card.go("SSSE")
    issuer = _items_hold(card, EF05)
    _items_hold(card, EF06)
    code, organisation = issuer[0x01].raw, issuer[0x04].raw
    holds(code[3:8] == APPLICATION_ID, "EF05/01: no application identifier D156000005")
    holds(organisation.startswith(_ORGANISATION), "EF05/04: does not begin with 9156000002")
    version = issuer[0x03].text or ""
    holds((version[:3] or "1.0") == card.subject.generation, f"EF05/03: is not of {card.subject.generation}")
    holds(issuer[0x02].meaning, "EF05/02: is no card class")
    issued, until = issuer[0x05].text or "", issuer[0x06].text or ""
    holds(issued <= until, "EF05/06: is before the day of issue")


def application_data(application: str, card: Card) -> None:
    """Find every file of an application, with every item at full length and of its type."""
    rules = [rule for rule in APPLICATIONS[application].files if rule.exists_in(card.subject.generation)]
    if not rules:
        raise NotApplicableError(f"not in {card.subject.generation}")
    for rule in rules:
        if _is_there(card, rule) and _is_tagged(card, rule):
            _items_hold(card, rule)


def _is_there(card: Card, rule: FileRule) -> bool:
    card.go(rule.application)
    status = card.select_fid(rule.fid, 0x02).sw
    first = card.subject.generation is Generation.V1
    same(f"SELECT {rule.address}", status, DONE, *((FILE_ABSENT,) if first else ()))
    return status == DONE


def _is_tagged(card: Card, rule: FileRule) -> bool:
    # what a file of the first generation was for then has no published items
    was_other = card.subject.generation is Generation.V1 and rule.address in OLD_FILES
    return bool(rule.items) and not was_other and card.structure(rule) is not Structure.CYCLIC


def _items_hold(card: Card, rule: FileRule) -> dict[int, Value]:
    """Hold a file to its items, and return the first value of each tag."""
    card.open_to_read(rule)
    records = card.items(rule)
    items = [item for item in rule.items_of(card.subject.generation) for _ in range(item.count)]
    expected = [item.tag for item in items if item.tag != _UNEMPLOYMENT]
    holds([record.tag for record in records if record.tag != _UNEMPLOYMENT] == expected, f"{rule.address}: other tags")
    for record in records:
        _has_its_length(card, rule, record)
    values = read_records(rule, card.subject.generation, records)
    for value in values:
        holds(value.fault is None, f"{rule.address}/{value.tag:02X}: {value.fault}")
    return {value.tag: value for value in reversed(values)}


def _has_its_length(card: Card, rule: FileRule, record: Record) -> None:
    item, where = rule.item(record.tag), f"{rule.address}/{record.tag:02X}"
    if item is None:
        raise FailedError(f"{where}: no such item")
    old = old_item(rule.address, record.tag) if card.subject.generation is Generation.V1 else None
    lengths = {item.length, *((old.length,) if old else ())}
    holds(len(record.value) in lengths, f"{where}: {len(record.value)} bytes, the rule has {item.length}")
    if item.type is ItemType.B_TLV and old is None:
        _inner_hold(item, record.value, where)


def _inner_hold(item: Item, raw: bytes, where: str) -> None:
    try:
        inner = parse_records(raw)
    except TlvError as error:
        raise FailedError(f"{where}: {error}") from None
    shape = [(record.tag, len(record.value)) for record in inner]
    holds(shape == [(part.tag, part.length) for part in item.inner], f"{where}: other inner items")
    holds(
        sum(part.record_length for part in item.inner) == item.length, f"{where}: the rule's own lengths do not add up"
    )


def cyclic_files(card: Card) -> None:
    """Hold cyclic files to as many records as the rule says, of its lengths, the newest first."""
    tried = 0
    for rule in list(card.files()):
        if card.structure(rule) is not Structure.CYCLIC:
            continue
        tried += 1
        card.open_to_read(rule)
        lengths = {sum(item.length for item in layout) for layout in rule.layouts}
        for record in card.read_all(rule):
            holds(len(record) in lengths, f"{rule.address}: a record of {len(record)} bytes")
        if rule.write is not None:
            _goes_round(card, rule)
    if not tried:
        raise NotApplicableError("no cyclic file")


def _goes_round(card: Card, rule: FileRule) -> None:
    assert rule.write is not None  # noqa: S101 # said by the caller
    written = [_numbered(rule.fields, number) for number in range(1, rule.records + 2)]
    same(f"EXTERNAL AUTHENTICATION {rule.write}", card.prove(rule.write), DONE)
    for record in written:
        same(f"UPDATE RECORD, one more in {rule.address}", card.append(rule, record), DONE)
    newest_first = written[:0:-1]
    holds(card.read_all(rule)[: rule.records] == newest_first, f"{rule.address}: not the newest records first")


def _numbered(fields: Sequence[Item], number: int) -> bytes:
    first, *others = fields
    digits = f"{number:0{2 * first.length}X}" if first.type is ItemType.B else f"{number:0{first.length}}"
    return encode(first, digits) + b"".join(encode(item, "") for item in others)


def transparent_files(card: Card) -> None:
    """Hold transparent files to the rule's sizes, to the byte."""
    tried = 0
    for rule in list(card.files()):
        if card.is_transparent(rule):
            tried += 1
            card.open_to_read(rule)
            same(f"SELECT {rule.address}", card.select_fid(rule.fid, 0x02).sw, DONE)
            same(f"READ BINARY of the last byte of {rule.address}", _byte(card, rule.size - 1), DONE)
            same(f"READ BINARY behind the end of {rule.address}", _byte(card, rule.size), _OUTSIDE_FILE)
    if not tried:
        raise NotApplicableError("no transparent file")


def _byte(card: Card, offset: int) -> int:
    return card.send(0x00, 0xB0, offset >> 8, offset & 0xFF, le=1).sw


def one_unemployment_registration(card: Card) -> None:
    """Find the last unemployment registration in exactly one of the two files that may have it."""
    found = []
    for address in _UNEMPLOYMENT_FILES:
        rule = next(rule for rule in APPLICATIONS[address[:4]].files if rule.address == address)
        if not rule.exists_in(card.subject.generation):
            raise NotApplicableError(f"no {address} in {card.subject.generation}")
        card.open_to_read(rule)
        found += [address for record in card.items(rule) if record.tag == _UNEMPLOYMENT]
    holds(len(found) == 1, f"tag 60 is in {' and '.join(found) or 'none'} of {' and '.join(_UNEMPLOYMENT_FILES)}")


def third_generation(card: Card) -> None:
    """Read the holder's data freely on 1.0 and 2.0, on 3.0 with RKSSSE only."""
    card.go("SSSE")
    third = card.subject.generation is Generation.V3
    same("READ RECORD of EF06 without any right", card.read_some(EF06).sw, NO_RIGHT if third else DONE)
    if third:
        card.open_to_read(EF06)
        same("READ RECORD of EF06 with RKSSSE", card.read_some(EF06).sw, DONE)


CASES: Final = (
    Case("C-REC-SSSE", "items of EF05 and EF06", Cost.PROOFS, basic_data),
    *(
        Case(f"C-REC-{name}", f"files and items of {name}", Cost.PROOFS, partial(application_data, name))
        for name in APPLICATIONS
        if name != "SSSE"
    ),
    Case("C-CYC", "cyclic files", Cost.TRIES, cyclic_files),
    Case("C-TRN", "sizes of transparent files", Cost.PROOFS, transparent_files),
    Case("C-60", "one unemployment registration", Cost.PROOFS, one_unemployment_registration),
    Case("S-3.0", "who reads the holder's data", Cost.PROOFS, third_generation),
)
