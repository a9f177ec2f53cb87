"""What stands in the files of a card, from its persona's texts (LD/T 32.6)."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from cardd.base.document import DocumentError
from cardd.base.errors import CarddError
from cardd.rules.address import parse_item
from cardd.rules.content import write_fields, write_whole
from cardd.rules.files import EF05, EF06, FileRule, Generation, Structure
from cardd.rules.items import Form, Item
from cardd.rules.values import ValueFault, encode, split_name
from cardsim.card.build import unhex
from cardsim.card.filesystem import FREE, NEVER, ElementaryFile, RecordFile, TransparentFile
from cardsim.card.filesystem import Structure as Records
from cardsim.card.holder import Texts
from cardsim.card.layout import STRUCTURES, former, items_of, keeps_old_meaning, reading, writing
from cardsim.card.raw import raw_records
from cardsim.persona import FileContent, Persona, SocialSecurityPersona

SPARE: Final = 0x80
"""What a record file has room for beyond the records of the rule, so that UPDATE RECORD can append."""

_NAME: Final = (0x09, 0x4E)
"""Where a name and what does not fit there stand."""

_FILLED: Final = b"\xee"


class Contents:
    """Makes the files of one persona. Raises DocumentError for what cannot be stored in them."""

    def __init__(self, persona: Persona, card: SocialSecurityPersona, texts: Texts) -> None:
        self._persona = persona
        self._card = card
        self._texts = texts

    def file(self, rule: FileRule) -> ElementaryFile:
        """Make a file of the rule."""
        structure = rule.structure_of(Generation(self._card.profile))
        if structure is Structure.TRANSPARENT:
            return self._transparent(rule)
        if structure is Structure.CYCLIC:
            return self._cyclic(rule)
        return self._linear(rule, STRUCTURES[structure])

    def local_file(self, address: str, fid: int) -> ElementaryFile:
        """Make a file that the rule does not know: read by anybody, written by nobody."""
        content = self._card.raw[address]
        if isinstance(content, str):
            return TransparentFile(fid, FREE, NEVER, bytearray(unhex(content)))
        records = self._as_given(address, [])
        return RecordFile(fid, Records.VARIABLE, sum(map(len, records)) + SPARE, FREE, NEVER, records)

    def _transparent(self, rule: FileRule) -> TransparentFile:
        raw = self._card.raw.get(rule.address)
        text = raw if raw is not None else self._card.files.get(rule.address, "")
        if not isinstance(text, str):
            raise self._fault(rule.address, "is bytes in hexadecimal")
        try:
            content = unhex(text) if raw is not None else write_whole(rule, text)
        except ValueFault as fault:
            raise self._fault(rule.address, str(fault)) from None
        return TransparentFile(rule.fid, reading(self._card, rule), writing(rule), bytearray(content))

    def _cyclic(self, rule: FileRule) -> RecordFile:
        records = [self._record(rule, index, text) for index, text in self._newest_first(rule)]
        records = self._as_given(rule.address, records)
        shortest = min(sum(item.length for item in layout) for layout in rule.layouts)
        short = self._card.toggles.transaction_record == "account_only"
        length = len(records[0]) if records else shortest if short else rule.record_length
        if any(len(record) != length for record in records):
            raise self._fault(rule.address, "has records of different lengths")
        size = max(rule.records, len(records))
        if self._card.toggles.cyclic_files == "filled":
            blank = b"".join(encode(item, "") for item in rule.fields)[:length]
            records += [blank] * (size - len(records))
        return RecordFile(
            rule.fid, Records.CYCLIC, size, reading(self._card, rule), writing(rule), records, record_length=length
        )

    def _newest_first(self, rule: FileRule) -> Iterable[tuple[int, str]]:
        content = self._card.files.get(rule.address, ())
        if not isinstance(content, tuple):
            raise self._fault(rule.address, "is a list of records, the newest first: [text, …]")
        return enumerate(content)

    def _record(self, rule: FileRule, index: int, text: str) -> bytes:
        try:
            return write_fields(rule, text)
        except ValueFault as fault:
            raise self._fault(f"{rule.address}[{index}]", str(fault)) from None

    def _linear(self, rule: FileRule, structure: Records) -> RecordFile:
        overrides = self._overrides(rule)
        values = [
            (item.tag, self._value(rule, item, number, overrides))
            for item in items_of(self._card, rule)
            for number in range(1, item.count + 1)
        ]
        for name, _ in overrides.values():
            raise self._fault(f"{rule.address}.{name}", "no such item in this file")
        records = [bytes((tag, len(value))) + value for tag, value in values]
        records = self._as_given(rule.address, records)
        fixed = structure is Records.FIXED
        return RecordFile(
            fid=rule.fid,
            structure=structure,
            size=len(records) if fixed else sum(map(len, records)) + SPARE,
            read=reading(self._card, rule),
            write=writing(rule),
            records=records,
            record_length=max(map(len, records), default=0) if fixed else 0,
            tagged=fixed,
        )

    def _overrides(self, rule: FileRule) -> dict[str, tuple[str, str]]:
        """Return by item what the persona says of it: (as it is called there, text)."""
        content: FileContent = self._card.files.get(rule.address, {})
        if not isinstance(content, dict):
            raise self._fault(rule.address, 'has items: {"08": text, …}')
        return {_item(name): (name, text) for name, text in content.items()}

    def _value(self, rule: FileRule, item: Item, number: int, overrides: dict[str, tuple[str, str]]) -> bytes:
        """Return a value; takes what the persona says of it out of `overrides`. `40` is the first of several."""
        tag = f"{item.tag:02X}"
        for place in (f"{tag}:{number}", tag) if number == 1 else (f"{tag}:{number}",):
            if place in overrides:
                name, text = overrides.pop(place)
                return self._encoded(rule, item, text, f"$.files.{rule.address}.{name}")
        if rule is not EF06 and rule is not EF05:
            return self._encoded(rule, item, "", "")
        if item.tag in _NAME and self._generation is not Generation.V1:
            return self._name(*self._texts["name"])[_NAME.index(item.tag)]
        return self._encoded(rule, item, *self._texts[item.key])

    def _name(self, text: str, where: str) -> tuple[bytes, bytes]:
        try:
            return split_name(text)
        except ValueFault as fault:
            raise self._persona.fault(where, str(fault)) from None

    def _encoded(self, rule: FileRule, item: Item, text: str, where: str) -> bytes:
        try:
            return self._stored(former(self._card, rule, item), item, text)
        except ValueFault as fault:
            raise self._persona.fault(where, str(fault)) from None

    def _stored(self, old: Item | None, item: Item, text: str) -> bytes:
        if old is None:
            return encode(item, _packed(item, text))
        if keeps_old_meaning(self._card.toggles):
            with suppress(ValueFault):
                return encode(old, _packed(old, text))
        # what does not fit the old meaning says the new one
        return encode(item, _packed(item, text)).ljust(old.length, _FILLED)

    def _as_given(self, address: str, records: list[bytes]) -> list[bytes]:
        raw = self._card.raw.get(address)
        return records if raw is None else raw_records(self._persona, address, raw, records)

    @property
    def _generation(self) -> Generation:
        return Generation(self._card.profile)

    def _fault(self, where: str, problem: str) -> DocumentError:
        return self._persona.fault(f"$.files.{where}", problem)


def _item(name: str) -> str:
    """Return an item's name as it is printed; one that is none stays, and is no item of any file."""
    with suppress(CarddError):
        return str(parse_item(name))
    return name


def _packed(item: Item, text: str) -> str:
    return text.replace("-", "") if item.form is Form.DATE else text
