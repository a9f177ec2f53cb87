"""How a file of the card is described: its structure, its items or fields, and what opens it (LD/T 32.3, 32.6)."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec

from cardd.base.structs import Struct
from cardd.rules.access import Access
from cardd.rules.generations import Generation
from cardd.rules.items import Item
from cardd.rules.keys import KeyName


class Structure(StrEnum):
    """How a file is built."""

    LINEAR_VARIABLE = "LV"
    LINEAR_FIXED = "LF"
    CYCLIC = "CY"
    TRANSPARENT = "TR"


class FileClass(StrEnum):
    """How far a file is in use."""

    ENABLED = "enabled"
    PREDEFINED = "predefined"
    """Defined, not yet used."""

    RESERVED = "reserved"
    """Only its space is there."""


class FileRule(Struct, frozen=True):
    """One elementary file.

    `address` is its name in the driver's addresses (`SSSEEF05`). `read` has no entry for a generation that has no such
    file. `write` is the update key, None where no command writes it. `items` are in the order of the records of 2.0
    and 3.0; `items_of` tells the order on a card.

    `size` is that of a transparent file in bytes. `layouts` are the records of a cyclic file, field by field, the usual
    one first; `records` is how many it has at least. `undescribed` are tags that the rule has and whose items are not
    public: their bytes are kept as they are. `file_class` is None where the rule's published part tells none.
    """

    address: str
    structure: Structure
    read: Mapping[Generation, Access]
    write: KeyName | None
    en: str
    zh: str
    file_class: FileClass | None = None
    items: tuple[Item, ...] = ()
    size: int = 0
    records: int = 0
    layouts: tuple[tuple[Item, ...], ...] = ()
    undescribed: tuple[int, ...] = ()
    order: Mapping[Generation, tuple[int, ...]] = msgspec.field(default_factory=dict)
    structures: Mapping[Generation, Structure] = msgspec.field(default_factory=dict)

    @property
    def application(self) -> str:
        """Return the application's name: `SSSE`, `DF01`."""
        return self.address[:-4]

    @property
    def fid(self) -> int:
        """Return the file identifier."""
        return int(self.address[-4:], 16)

    @property
    def sfi(self) -> int:
        """Return the short file identifier, 5 to 1E: the low byte of the file identifier."""
        return self.fid & 0x1F

    @property
    def fields(self) -> tuple[Item, ...]:
        """Return the fields of the usual record of a cyclic file."""
        return self.layouts[0] if self.layouts else ()

    @property
    def record_length(self) -> int:
        """Return the bytes of the usual record of a cyclic file, 0 for any other file."""
        return sum(item.length for item in self.fields)

    @property
    def space(self) -> int:
        """Return the bytes that the file's content takes when every item is there at full length."""
        tagged = sum(item.record_length * item.count for item in self.items)
        return self.size or tagged or self.records * self.record_length

    def item(self, tag: int) -> Item | None:
        """Return the item with a tag, of whatever generation, or None."""
        return next((item for item in self.items if item.tag == tag), None)

    def items_of(self, generation: Generation) -> tuple[Item, ...]:
        """Return the items that a card of this generation has, in the order of its records (number 1 first)."""
        tags = self.order.get(generation)
        if tags is None:
            return self.items
        by_tag = {item.tag: item for item in self.items}
        return tuple(by_tag[tag] for tag in tags)

    def structure_of(self, generation: Generation) -> Structure:
        """Return how a card of this generation builds the file."""
        return self.structures.get(generation, self.structure)

    def exists_in(self, generation: Generation) -> bool:
        """Tell whether the rule gives a card of this generation the file."""
        return generation in self.read


def always(access: Access) -> Mapping[Generation, Access]:
    """Return the condition of a file that every generation has and opens alike."""
    return MappingProxyType(dict.fromkeys(Generation, access))


def since_2_0(access: Access, first: Access | None = None) -> Mapping[Generation, Access]:
    """Return the condition of 2.0 and 3.0, and that of 1.0 where a 1.0 card has the file."""
    later = dict.fromkeys((Generation.V2, Generation.V3), access)
    return MappingProxyType(later if first is None else {Generation.V1: first, **later})


def only_1_0(access: Access) -> Mapping[Generation, Access]:
    """Return the condition of a file that went away with 2.0."""
    return MappingProxyType({Generation.V1: access})
