"""Common data: registration, residence, work, marriage, nationality, education (LD/T 32.6 8.2)."""

from typing import Final

from cardd.rules import codes
from cardd.rules.access import FREE, PIN, either
from cardd.rules.items import Form, Item, ItemType
from cardd.rules.keys import KeyName
from cardd.rules.layout import FileClass, FileRule, Structure, since_2_0

_CN, _AN, _B_TLV = ItemType.CN, ItemType.AN, ItemType.B_TLV
_LV, _TR = Structure.LINEAR_VARIABLE, Structure.TRANSPARENT
_PIN: Final = either(PIN)
_READ: Final = either(PIN, KeyName.RK1DF01)
_FORMERLY_PIN: Final = since_2_0(_READ, _PIN)
_FORMERLY_UK2: Final = since_2_0(_READ, either(PIN, KeyName.UK2DF01))
_ENABLED, _RESERVED = FileClass.ENABLED, FileClass.RESERVED

# fmt: off
_DEGREE: Final = (
    Item(0x57, "degree_code", _AN, 0x03, "degree code", "学位代码"),
    Item(0x58, "field_of_study", _CN, 0x03, "field of study", "所学专业类别"),
    Item(0x59, "school", _AN, 0x28, "school", "毕业学校名称"),
)

FILES: Final = (
    FileRule("DF01EF05", _LV, _FORMERLY_PIN, KeyName.UK1DF01, "household registration", "户籍信息", _ENABLED, items=(
        Item(0x20, "household_type", _AN, 0x02, "household type", "户口类别", codes=codes.HOUSEHOLD_TYPE),
        Item(0x21, "registered_address", _AN, 0x50, "registered address", "户口所在地地址"),
        Item(0x0E, "registration_region", _CN, 0x03, "region of registration", "户口所在地行政区划代码"),
    )),
    FileRule("DF01EF06", _LV, _FORMERLY_PIN, KeyName.UK4DF01, "residence", "常住地信息", _ENABLED, items=(
        Item(0x23, "residence_address", _AN, 0x50, "residence address", "常住所在地地址"),
        Item(0x24, "residence_region", _CN, 0x03, "residence region", "常住所在地行政区划代码"),
        Item(0x28, "telephone", _AN, 0x0F, "telephone", "联系电话"),
        Item(0x2C, "contact_name", _AN, 0x32, "contact or guardian name", "联系人姓名"),
        Item(0x2D, "contact_telephone", _AN, 0x0F, "contact telephone", "联系人电话"),
    )),
    FileRule("DF01EF07", _LV, _FORMERLY_UK2, KeyName.UK2DF01, "personal status", "个人状况", _ENABLED, items=(
        Item(0x29, "work_status", _AN, 0x01, "work or retirement status", "个人就业或离退休状态", codes=codes.WORK_STATUS),
    )),
    FileRule("DF01EF08", _LV, _FORMERLY_PIN, KeyName.UK3DF01, "marriage", "婚姻状况", _ENABLED, items=(
        Item(0x2B, "marital_status", _AN, 0x01, "marital status", "婚姻状况", codes=codes.MARITAL_STATUS),
    )),
    FileRule("DF01EF09", _LV, _FORMERLY_UK2, KeyName.UK2DF01, "personal category and employer", "人员身份及就业单位",
             _ENABLED, items=(
        Item(0x2E, "employer", _AN, 0x46, "employer", "单位名称"),
        Item(0x30, "organisation_code", _AN, 0x09, "organisation code", "单位组织机构代码"),
        Item(0x32, "personal_category", _AN, 0x02, "personal category", "人员身份类别", codes=codes.PERSONAL_CATEGORY),
    )),
    FileRule("DF01EF0A", _LV, _FORMERLY_PIN, KeyName.UK5DF01, "nationality and politics", "国籍及政治面貌", _ENABLED,
             items=(
        Item(0x37, "nationality", _AN, 0x03, "nationality", "国籍"),
        Item(0x38, "political_status", _AN, 0x02, "political status", "政治面貌", codes=codes.POLITICAL_STATUS),
        Item(0x39, "party_date", _CN, 0x04, "date joined party", "参加党派日期", Form.DATE),
    )),
    FileRule("DF01EF15", _LV, since_2_0(_READ), KeyName.UK6DF01, "education", "学历信息", _ENABLED, items=(
        Item(0x2A, "education", _CN, 0x01, "education", "学历", codes=codes.EDUCATION),
        Item(0x40, "degree", _B_TLV, 0x34, "degree", "学位信息", count=3, inner=_DEGREE),
    )),
    FileRule("DF01EF16", _TR, since_2_0(FREE), KeyName.UK7DF01, "reserved 1", "预留信息1", _RESERVED, size=0x128),
    FileRule("DF01EF17", _TR, since_2_0(FREE), KeyName.UK8DF01, "reserved 2", "预留信息2", _RESERVED, size=0x128),
    FileRule("DF01EF18", _TR, since_2_0(FREE), KeyName.UK9DF01, "reserved 3", "预留信息3", _RESERVED, size=0x128),
    FileRule("DF01EF19", _TR, since_2_0(FREE), KeyName.UKADF01, "reserved 4", "预留信息4", _RESERVED, size=0x128),
    FileRule("DF01EF1A", _TR, since_2_0(FREE), KeyName.UKBDF01, "reserved 5", "预留信息5", _RESERVED, size=0x128),
)
# fmt: on
