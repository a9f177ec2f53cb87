"""Files of the environment and who may read and write them, by generation (LD/T 32.6 8.1, LB002-2000)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.rules.items import Form, Item, ItemType
from cardd.rules.keys import KeyName

_CN, _AN = ItemType.CN, ItemType.AN


class Generation(StrEnum):
    """Generations of the card, as clients see them."""

    V1 = "1.0"
    V2 = "2.0"
    V3 = "3.0"


def generation_of(version: bytes) -> Generation:
    """Tell the generation from the version string of EF05 tag 03, raw as the card gives it.

    Only the first three characters count, empty means 1.0, and the digits after the point number revisions. Raises
    CarddError(CARD_UNKNOWN) for a version that the rule does not know.
    """
    text = version.rstrip(b"\x00\xff ")[:3]
    if not text:
        return Generation.V1
    for generation in Generation:
        major = generation.value[:2].encode()
        if text.startswith(major) and text[2:].isdigit():
            return generation
    raise CarddError(Reason.CARD_UNKNOWN, "the card's specification version is none that is known")


class Structure(StrEnum):
    """How a file is built."""

    LINEAR_VARIABLE = "LV"
    LINEAR_FIXED = "LF"
    CYCLIC = "CY"
    TRANSPARENT = "TR"


@dataclass(frozen=True, slots=True)
class Access:
    """What it takes to read a file: nothing, or an external authentication with `key`."""

    key: KeyName | None = None

    @property
    def free(self) -> bool:
        """Tell whether anybody may."""
        return self.key is None


FREE: Final = Access()


@dataclass(frozen=True, slots=True)
class FileRule:
    """One elementary file.

    `address` is its name in the driver's addresses (`SSSEEF05`), `application` the part before EF. `items` are in the
    order of the records of 2.0 and 3.0; `items_of` tells the order on a card. `write` is the update key, or None.
    """

    address: str
    application: str
    fid: int
    structure: Structure
    items: tuple[Item, ...]
    read: Mapping[Generation, Access]
    write: KeyName | None
    en: str
    zh: str
    order: Mapping[Generation, tuple[int, ...]] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def sfi(self) -> int:
        """Return the short file identifier, 5 to 1E: the low byte of the file identifier."""
        return self.fid & 0x1F

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


def _same(access: Access) -> Mapping[Generation, Access]:
    return MappingProxyType(dict.fromkeys(Generation, access))


EF05: Final = FileRule(
    address="SSSEEF05",
    application="SSSE",
    fid=0xEF05,
    structure=Structure.LINEAR_VARIABLE,
    items=(
        Item(0x01, "identification_code", _CN, 0x10, "card identification code", "卡的识别码", Form.IDENTIFIER),
        Item(0x02, "card_class", _AN, 0x01, "card class", "卡的类别"),
        Item(0x03, "specification_version", _AN, 0x04, "specification version", "规范版本"),
        Item(
            0x04, "initialising_organisation", _CN, 0x0C, "initialising organisation", "初始化机构编号", Form.IDENTIFIER
        ),
        Item(0x05, "issue_date", _CN, 0x04, "issue date", "发卡日期", Form.DATE),
        Item(0x06, "valid_until", _CN, 0x04, "valid until", "卡有效期", Form.DATE),
        Item(0x07, "card_number", _AN, 0x09, "card number", "卡号", Form.HEAD),
    ),
    read=_same(FREE),
    write=KeyName.UKSSSE,
    en="issuer data",
    zh="发卡机构数据",
)

EF06: Final = FileRule(
    address="SSSEEF06",
    application="SSSE",
    fid=0xEF06,
    structure=Structure.LINEAR_VARIABLE,
    items=(
        Item(0x08, "social_security_number", _AN, 0x12, "social security number", "社会保障号码"),
        Item(0x09, "name", _AN, 0x1E, "name", "姓名"),
        Item(0x4E, "name_extension", _AN, 0x14, "name extension", "姓名扩展"),
        Item(0x0A, "sex", _AN, 0x01, "sex", "性别"),
        Item(0x0B, "ethnic_group", _CN, 0x01, "ethnic group", "民族"),
        Item(0x0C, "birthplace", _CN, 0x03, "birthplace", "出生地"),
        Item(0x0D, "birth_date", _CN, 0x04, "birth date", "出生日期", Form.DATE),
    ),
    read=MappingProxyType({Generation.V1: FREE, Generation.V2: FREE, Generation.V3: Access(KeyName.RKSSSE)}),
    write=KeyName.UKSSSE,
    en="holder basic data",
    zh="持卡人基本信息",
    # The name extension came with 2.0 and moved every record behind it: read by tag, not by number.
    order=MappingProxyType({Generation.V1: (0x08, 0x09, 0x0A, 0x0B, 0x0C, 0x0D)}),
)

EF1E: Final = FileRule(
    address="SSSEEF1E",
    application="SSSE",
    fid=0xEF1E,
    structure=Structure.LINEAR_VARIABLE,
    items=(),
    read=_same(FREE),
    write=None,
    en="directory of applications",
    zh="目录数据文件",
)

FILES: Final[Mapping[str, FileRule]] = MappingProxyType({rule.address: rule for rule in (EF05, EF06, EF1E)})
