"""Employment: occupation, skills, history, certificates, assistance (LD/T 32.6 8.3)."""

from typing import Final

from cardd.rules import codes
from cardd.rules.access import PIN, either
from cardd.rules.items import NO_TAG, Form, Item, ItemType
from cardd.rules.keys import KeyName
from cardd.rules.layout import FileClass, FileRule, Structure, since_2_0

_CN, _AN, _B_TLV = ItemType.CN, ItemType.AN, ItemType.B_TLV
_LV, _CY = Structure.LINEAR_VARIABLE, Structure.CYCLIC
_READ: Final = either(PIN, KeyName.RK1DF02)
_ENABLED: Final = FileClass.ENABLED

# fmt: off
_WORKER: Final = (
    Item(0x5A, "name_code", _AN, 0x07, "name code", "名称代码"),
    Item(0x5B, "level", _AN, 0x01, "level", "等级"),
    Item(0x5C, "body", _AN, 0x46, "issuing or checking body", "发证/年检机构名称"),
    Item(0x5D, "date", _CN, 0x04, "issue or check date", "发证/年检日期", Form.DATE),
    Item(0x5E, "certificate_number", _AN, 0x10, "certificate number", "证书编号"),
)
_PROFESSIONAL: Final = (
    Item(0x33, "name_code", _AN, 0x03, "name code", "名称代码"),
    Item(0x34, "body", _AN, 0x46, "registering or checking body", "注册登记/年检机构名称"),
    Item(0x35, "date", _CN, 0x04, "registration or check date", "注册登记/年检日期", Form.DATE),
    Item(0x36, "certificate_number", _AN, 0x10, "certificate number", "证书编号"),
)
_ASSISTANCE: Final = (
    Item(0x10, "target_type", _AN, 0x03, "target type", "就业援助对象类型"),
    Item(0x11, "date", _CN, 0x04, "date", "认定日期", Form.DATE),
    Item(0x12, "region", _CN, 0x03, "region", "认定地行政区划代码"),
)
_HISTORY: Final = (
    Item(NO_TAG, "occupation", _AN, 0x07, "occupation", "从事职业"),
    Item(NO_TAG, "start", _CN, 0x04, "start", "就业起始日期", Form.DATE),
    Item(NO_TAG, "end", _CN, 0x04, "end", "就业终止日期", Form.DATE),
    Item(NO_TAG, "employer", _AN, 0x46, "employer", "就业工作单位名称"),
)
_BENEFIT: Final = (
    Item(NO_TAG, "policy_type", _AN, 0x03, "policy type", "享受就业扶持政策类型"),
    Item(NO_TAG, "approved", _CN, 0x04, "approved", "核准日期", Form.DATE),
    Item(NO_TAG, "start", _CN, 0x04, "from", "开始日期", Form.DATE),
    Item(NO_TAG, "end", _CN, 0x04, "to", "终止日期", Form.DATE),
    Item(NO_TAG, "region", _CN, 0x03, "region", "核准地行政区划代码"),
)

FILES: Final = (
    FileRule("DF02EF05", _LV, since_2_0(_READ, either(PIN, KeyName.UK1DF02)), KeyName.UK1DF02,
             "occupation and skills", "职业和专业技能", FileClass.PREDEFINED, items=(
        Item(0x42, "title_code", _AN, 0x03, "professional title code", "专业技术职务代码"),
        Item(0x41, "title_level", _AN, 0x03, "title level", "专业技术职务级别", codes=codes.TITLE_LEVEL),
        Item(0x43, "worker_qualification", _B_TLV, 0x6C, "worker qualification", "职业资格/工人技术等级信息",
             count=2, inner=_WORKER),
        Item(0x44, "professional_qualification", _B_TLV, 0x65, "professional qualification", "职业资格/专业技术人员信息",
             count=2, inner=_PROFESSIONAL),
    )),
    FileRule("DF02EF06", _LV, since_2_0(_READ, either(PIN, KeyName.UK2DF02)), KeyName.UK2DF02,
             "employment status", "就业状况", _ENABLED, items=(
        Item(0x4C, "last_employment_registration", _CN, 0x04, "last employment registration",
             "最近一次办理就业登记日期", Form.DATE),
        Item(0x4B, "registration_type", _AN, 0x05, "registration type and form", "就业登记类型及形式",
             parts=codes.REGISTRATION),
        Item(0x4D, "registration_region", _CN, 0x03, "registration region", "就业登记地行政区划代码"),
        # lives here or in DF03EF05, in exactly one of them
        Item(0x60, "last_unemployment_registration", _CN, 0x04, "last unemployment registration", "最近一次办理失业登记日期", Form.DATE),
        Item(0x4F, "unemployment_type", _AN, 0x06, "unemployment type, reason, cancel reason",
             "失业登记类型、原因及注销原因", parts=codes.UNEMPLOYMENT),
        Item(0x50, "unemployment_region", _CN, 0x03, "unemployment registration region", "失业登记地行政区划代码"),
        Item(0x3A, "occupation", _AN, 0x07, "present occupation", "现从事职业"),
    )),
    FileRule("DF02EF07", _CY, since_2_0(_READ, either(PIN, KeyName.UK3DF02)), KeyName.UK3DF02,
             "employment history", "就业记录", _ENABLED, records=4, layouts=(_HISTORY,)),
    # how 1.0 opens its permit of migrant workers is not public: taken as its neighbours open
    FileRule("DF02EF09", _LV, since_2_0(_READ, either(PIN, KeyName.UK4DF02)), KeyName.UK4DF02,
             "employment and unemployment certificate", "就业失业登记证", _ENABLED, items=(
        Item(0x55, "certificate_number", _AN, 0x10, "certificate number", "就业失业登记证编号"),
        Item(0x56, "body", _AN, 0x46, "issuing body", "发证机构"),
        Item(0x96, "date", _CN, 0x04, "issue or yearly check date", "发证/年检日期", Form.DATE),
        Item(0x97, "region", _CN, 0x03, "issuing region", "发证地行政区划代码"),
    )),
    FileRule("DF02EF15", _LV, since_2_0(_READ), KeyName.UK5DF02, "assistance target", "就业援助对象认定", _ENABLED, items=(
        Item(0x99, "assistance", _B_TLV, 0x10, "assistance entry", "就业援助对象认定信息", count=4, inner=_ASSISTANCE),
        Item(0x0F, "leaving_date", _CN, 0x04, "leaving date", "退出就业援助对象范围的认定日期", Form.DATE),
        Item(0x1F, "leaving_region", _CN, 0x03, "leaving region", "退出就业援助对象范围的认定地行政区划代码"),
    )),
    FileRule("DF02EF16", _CY, since_2_0(_READ), KeyName.UK6DF02, "policy benefits", "就业扶持政策享受", _ENABLED,
             records=4, layouts=(_BENEFIT,)),
)
# fmt: on
