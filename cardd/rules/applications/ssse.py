"""The environment: issuer, holder, fingerprint, photo (LD/T 32.6 8.1; LB002-2000)."""

from types import MappingProxyType
from typing import Final

from cardd.rules import codes
from cardd.rules.access import FREE, either
from cardd.rules.generations import Generation
from cardd.rules.items import Form, Item, ItemType
from cardd.rules.keys import KeyName
from cardd.rules.layout import FileClass, FileRule, Structure, always, since_2_0

_CN, _AN = ItemType.CN, ItemType.AN
_RKSSSE: Final = either(KeyName.RKSSSE)

# fmt: off
EF05: Final = FileRule(
    "SSSEEF05", Structure.LINEAR_VARIABLE, always(FREE), KeyName.UKSSSE, "issuer data", "发卡机构数据",
    FileClass.ENABLED,
    items=(
        Item(0x01, "identification_code", _CN, 0x10, "card identification code", "卡的识别码", Form.IDENTIFIER),
        Item(0x02, "card_class", _AN, 0x01, "card class", "卡的类别", codes=codes.CARD_CLASS),
        Item(0x03, "specification_version", _AN, 0x04, "specification version", "规范版本"),
        Item(0x04, "initialising_organisation", _CN, 0x0C, "initialising organisation", "初始化机构编号", Form.IDENTIFIER),
        Item(0x05, "issue_date", _CN, 0x04, "issue date", "发卡日期", Form.DATE),
        Item(0x06, "valid_until", _CN, 0x04, "valid until", "卡有效期", Form.DATE),
        Item(0x07, "card_number", _AN, 0x09, "card number", "卡号", Form.HEAD),
    ),
)

EF06: Final = FileRule(
    "SSSEEF06", Structure.LINEAR_VARIABLE,
    MappingProxyType({Generation.V1: FREE, Generation.V2: FREE, Generation.V3: _RKSSSE}), KeyName.UKSSSE,
    "holder basic data", "持卡人基本信息", FileClass.ENABLED,
    items=(
        Item(0x08, "social_security_number", _AN, 0x12, "social security number", "社会保障号码"),
        Item(0x09, "name", _AN, 0x1E, "name", "姓名"),
        Item(0x4E, "name_extension", _AN, 0x14, "name extension", "姓名扩展"),
        Item(0x0A, "sex", _AN, 0x01, "sex", "性别", codes=codes.SEX),
        Item(0x0B, "ethnic_group", _CN, 0x01, "ethnic group", "民族", codes=codes.ETHNIC_GROUP),
        Item(0x0C, "birthplace", _CN, 0x03, "birthplace", "出生地"),
        Item(0x0D, "birth_date", _CN, 0x04, "birth date", "出生日期", Form.DATE),
    ),
    # The name extension came with 2.0 and moved every record behind it: read by tag, not by number.
    order=MappingProxyType({Generation.V1: (0x08, 0x09, 0x0A, 0x0B, 0x0C, 0x0D)}),
)

EF07: Final = FileRule(
    "SSSEEF07", Structure.TRANSPARENT, since_2_0(_RKSSSE, FREE), KeyName.UKSSSE, "fingerprint", "指纹",
    FileClass.PREDEFINED, size=0x300,
)

EF08: Final = FileRule(
    "SSSEEF08", Structure.TRANSPARENT, since_2_0(_RKSSSE), KeyName.UKSSSE, "photo", "照片", FileClass.PREDEFINED,
    size=0x1000,
)

EF1E: Final = FileRule(
    "SSSEEF1E", Structure.LINEAR_VARIABLE, always(FREE), None, "directory of applications", "目录数据文件",
)
# fmt: on

FILES: Final = (EF05, EF06, EF07, EF08, EF1E)
