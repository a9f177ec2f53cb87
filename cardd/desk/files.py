"""Read files by their addresses, whatever they are built like and whatever opens them."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Hidden, Struct
from cardd.cards import records
from cardd.cards.files import CardFiles
from cardd.desk.reading import WHOLE, CardValue, Unreadable
from cardd.desk.refusals import refusals
from cardd.desk.rights import Rights
from cardd.desk.values import mask_of, typed
from cardd.iso7816.apdu import MAX_LE
from cardd.iso7816.channel import Channel
from cardd.iso7816.tlv import Record, TlvError
from cardd.rules.address import FileAddress, ItemAddress, merge, parse_address
from cardd.rules.compatibility import JUDGED_BY, OLD_MEANINGS
from cardd.rules.content import Value, read_fields, read_records, read_whole, unknown_item
from cardd.rules.files import FILES
from cardd.rules.generations import Generation
from cardd.rules.items import NO_TAG
from cardd.rules.layout import FileRule, Structure

_LAST_RECORD: Final = 0xFE
_TAGGED: Final = frozenset({Structure.LINEAR_VARIABLE, Structure.LINEAR_FIXED})


class FileReading(Struct, frozen=True):
    """What a file holds: values by item, and which of them are meant as on a 1.0 card.

    `there` is False where the card has no such file; `missing` are items whose records are not on the card, which is
    not the same as a record that is there and not set.
    """

    values: Hidden[Mapping[str, CardValue]]
    old: Mapping[str, str] = msgspec.field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    there: bool = True


class OpenFiles(Struct, frozen=True):
    """An open card of a generation, its files, and the rights of this call."""

    channel: Channel
    files: CardFiles
    generation: Generation
    rights: Rights


def parse_wanted(text: str | None) -> tuple[FileAddress, ...]:
    """Read an address string; a file that is named several times is named once.

    Raises CarddError before any card is touched: INVALID; FILE_ABSENT and RECORD_ABSENT for what no card has.
    """
    wanted = () if text is None else merge(parse_address(text))
    for file in wanted:
        with refusals(file=file.name):
            _check(rule_of(file.name), file)
    return wanted


def rule_of(name: str) -> FileRule:
    """Return a file of the rule. Raises CarddError(FILE_ABSENT)."""
    rule = FILES.get(name)
    if rule is None:
        raise CarddError(Reason.FILE_ABSENT, f"{name} is no file of the rule")
    return rule


def read_file(card: OpenFiles, address: FileAddress) -> FileReading:
    """Read what is wanted of a file. What is not on the card is None; what cannot be parsed keeps its bytes.

    Raises CarddError that names the file: as `Rights.to_read`, CARD_BLOCKED, STATUS_WORD.
    """
    rule = FILES[address.name]
    with refusals(file=rule.address):
        if not (card.files.select_application(rule.application) and card.files.select_file(rule)):
            return FileReading(_ABSENT[rule.structure](rule, address), there=False)
        return card.rights.to_read(rule, lambda: _READ[rule.structure](card, rule, address))


def scan(card: OpenFiles, rule: FileRule) -> Iterator[tuple[int, bytes]]:
    """Give the tagged records of a file as they are, with their numbers. Raises CarddError that names the record."""
    lengths = [item.record_length for item in rule.items_of(card.generation) for _ in range(item.count)]
    for number in range(1, _LAST_RECORD + 1):
        guess = lengths[number - 1] if number <= len(lengths) else MAX_LE
        with refusals(item=f"record {number}"):
            raw = records.read_by_number(card.channel, rule, number, guess)
        if raw is None:
            return
        yield number, raw


def _check(rule: FileRule, address: FileAddress) -> None:
    if rule.structure is not Structure.CYCLIC and address.record is not None:
        raise CarddError(Reason.INVALID, "is read by items or as a whole, not by record numbers")
    if rule.structure not in _TAGGED and address.items:
        raise CarddError(Reason.INVALID, "has no items: it is read by records or as a whole")
    for item in address.items:
        known = rule.item(item.tag)
        repeats = rule.items == () or item.tag in rule.undescribed or (known is not None and known.count > 1)
        if not repeats and (known is None or item.occurrence not in {None, 1}):
            raise CarddError(Reason.RECORD_ABSENT, "there is no such item", item=str(item))


# -- records with tags


def _read_tagged(card: OpenFiles, rule: FileRule, address: FileAddress) -> FileReading:
    found = _scanned(card, rule) if _needs_scan(card.generation, rule, address) else _asked(card, rule, address.items)
    return _tagged(card.generation, rule, address, found)


def _needs_scan(generation: Generation, rule: FileRule, address: FileAddress) -> bool:
    """Tell whether only the file as a whole tells what a value is: which of several, or what it means."""
    if not address.items or not rule.items:
        return True
    judged = generation is Generation.V1 and rule.address in OLD_MEANINGS and rule.address in JUDGED_BY
    return judged or any(_count(rule, item.tag) != 1 for item in address.items)


_Found = Sequence[tuple[int, records.Stored]]
"""Tags and values in the card's order."""


def _scanned(card: OpenFiles, rule: FileRule) -> _Found:
    return [(_tag(raw), records.stored(_tag(raw), raw)) for _, raw in scan(card, rule)]


def _asked(card: OpenFiles, rule: FileRule, items: Iterable[ItemAddress]) -> _Found:
    found = []
    for tag in dict.fromkeys(item.tag for item in items):
        with refusals(item=f"{tag:02X}"):
            stored = records.read_by_tag(card.channel, rule, tag)
        if stored is not None:
            found.append((tag, stored))
    return found


def _tag(raw: bytes) -> int:
    return raw[0] if raw else NO_TAG


def _tagged(generation: Generation, rule: FileRule, address: FileAddress, found: _Found) -> FileReading:
    readable = iter(
        read_records(rule, generation, [_record(tag, stored) for tag, stored in found if _sound(tag, stored)])
    )
    values: dict[str, CardValue] = {}
    old: dict[str, str] = {}
    seen: Counter[int] = Counter()
    for tag, stored in found:
        seen[tag] += 1
        name = _name(rule, tag, seen[tag])
        mask = mask_of(rule, tag)
        if _sound(tag, stored):
            value = next(readable)
            values[name] = typed(value, mask)
            old.update(_old_meaning(name, value))
        else:
            fault = stored.fault or f"a record with tag {tag:02X}"
            values[name] = Unreadable(stored.raw, fault, personal=mask is not None)
    names = {name: _plain(rule, name) for name in _names(rule, generation, address, values)}
    chosen = {name: values.get(plain) for name, plain in names.items()}
    missing = frozenset(name for name, plain in names.items() if plain not in values)
    return FileReading(chosen, {name: old[name] for name in chosen if name in old}, missing)


def _record(tag: int, stored: records.Stored) -> Record:
    return Record(tag, stored.raw)


def _sound(tag: int, stored: records.Stored) -> bool:
    if stored.fault is not None:
        return False
    try:
        _record(tag, stored)
    except TlvError:
        return False
    return True


def _old_meaning(name: str, value: Value) -> Mapping[str, str]:
    return {name: value.item.key} if value.old else {}


def _count(rule: FileRule, tag: int) -> int:
    item = rule.item(tag)
    return item.count if item is not None else 0


def _name(rule: FileRule, tag: int, occurrence: int) -> str:
    alone = occurrence == 1 and _count(rule, tag) <= 1
    return str(ItemAddress(tag, None if alone else occurrence))


def _plain(rule: FileRule, name: str) -> str:
    """Return the name under which a value stands that was asked for as `81:1` or `40`."""
    tag, _, occurrence = name.partition(":")
    return _name(rule, int(tag, 16), int(occurrence or "1"))


def _names(rule: FileRule, generation: Generation, address: FileAddress, there: Iterable[str]) -> Iterable[str]:
    """Give the names of the answer: those asked for, else those of the rule and whatever else is there."""
    if not address.items:
        by_rule = (ItemAddress(item.tag) for item in rule.items_of(generation))
        return dict.fromkeys([*_occurrences(rule, by_rule), *there])
    return dict.fromkeys(_occurrences(rule, address.items))


def _occurrences(rule: FileRule, items: Iterable[ItemAddress]) -> Iterator[str]:
    for item in items:
        if item.occurrence is None and _count(rule, item.tag) > 1:
            yield from (f"{item.tag:02X}:{number}" for number in range(1, _count(rule, item.tag) + 1))
        else:
            yield str(item)


def _no_records(rule: FileRule, address: FileAddress) -> Mapping[str, CardValue]:
    return dict.fromkeys(_names(rule, Generation.V3, address, ()))


# -- records without tags


def _read_cyclic(card: OpenFiles, rule: FileRule, address: FileAddress) -> FileReading:
    numbers = range(1, _LAST_RECORD + 1) if address.record is None else (address.record,)
    values: dict[str, CardValue] = {}
    for number, raw in cyclic_records(card, rule, numbers):
        values[str(number)] = typed(read_fields(rule, raw), mask_of(rule)) if raw.strip(b"\x00\xff") else None
    if address.record is None or values:
        return FileReading(values)
    return FileReading({str(address.record): None}, missing=frozenset({str(address.record)}))


def cyclic_records(card: OpenFiles, rule: FileRule, numbers: Iterable[int]) -> Iterator[tuple[int, bytes]]:
    """Give records of a cyclic file by their numbers, up to the first that is not there."""
    length = rule.record_length
    for number in numbers:
        with refusals(item=f"record {number}"):
            raw = records.read_fields(card.channel, rule, number, length)
        if raw is None:
            return
        length = len(raw) or length
        yield number, raw


def _no_cyclic(_: FileRule, address: FileAddress) -> Mapping[str, CardValue]:
    return {} if address.record is None else {str(address.record): None}


# -- no records


def _read_transparent(card: OpenFiles, rule: FileRule, _: FileAddress) -> FileReading:
    mask = mask_of(rule)
    text = read_whole(card.files.read_transparent(rule.size))
    return FileReading({WHOLE: typed(Value(unknown_item(NO_TAG, rule.size), b"", text or None), mask)})


def _no_transparent(_rule: FileRule, _: FileAddress) -> Mapping[str, CardValue]:
    return {WHOLE: None}


_READ: Final[Mapping[Structure, Callable[[OpenFiles, FileRule, FileAddress], FileReading]]] = MappingProxyType(
    {
        Structure.LINEAR_VARIABLE: _read_tagged,
        Structure.LINEAR_FIXED: _read_tagged,
        Structure.CYCLIC: _read_cyclic,
        Structure.TRANSPARENT: _read_transparent,
    }
)

_ABSENT: Final[Mapping[Structure, Callable[[FileRule, FileAddress], Mapping[str, CardValue]]]] = MappingProxyType(
    {
        Structure.LINEAR_VARIABLE: _no_records,
        Structure.LINEAR_FIXED: _no_records,
        Structure.CYCLIC: _no_cyclic,
        Structure.TRANSPARENT: _no_transparent,
    }
)
