"""Relief and preferential treatment, an application that a card may have (LD/T 32.6 annex B)."""

from typing import Final

from cardd.rules.access import either
from cardd.rules.items import Form, Item, ItemType
from cardd.rules.keys import KeyName
from cardd.rules.layout import FileRule, Structure, since_2_0

_CN, _AN, _B_TLV = ItemType.CN, ItemType.AN, ItemType.B_TLV
_LV: Final = Structure.LINEAR_VARIABLE
_READ: Final = since_2_0(either(KeyName.RK1DF06))

# fmt: off
_BENEFIT: Final = (
    Item(0xE3, "code", _CN, 0x01, "code", "类别代码"),
    Item(0xE4, "approved", _CN, 0x04, "approved", "批准日期", Form.DATE),
    Item(0xE5, "reviewed", _CN, 0x04, "reviewed", "复核日期", Form.DATE),
    Item(0xE6, "last_amount", _CN, 0x04, "last amount", "最近一次发放金额", Form.FEN),
    Item(0xE7, "paid_month", _CN, 0x03, "paid month", "最近一次发放年月"),
)

FILES: Final = (
    FileRule("DF06EF05", _LV, _READ, KeyName.UK1DF06, "relief", "救助信息", items=(
        Item(0xC0, "body", _AN, 0x46, "paying body", "发放机构名称"),
        Item(0xC2, "body_code", _AN, 0x09, "paying body's code", "发放机构代码"),
        Item(0xC3, "benefit_1", _B_TLV, 0x1A, "benefit 1", "救助信息1", inner=_BENEFIT),
        Item(0xC4, "benefit_2", _B_TLV, 0x1A, "benefit 2", "救助信息2", inner=_BENEFIT),
        Item(0xC5, "benefit_3", _B_TLV, 0x1A, "benefit 3", "救助信息3", inner=_BENEFIT),
    )),
    FileRule("DF06EF06", _LV, _READ, KeyName.UK2DF06, "preferential treatment", "优抚信息", items=(
        Item(0xC6, "body", _AN, 0x46, "paying body", "发放机构名称"),
        Item(0xC8, "body_code", _AN, 0x09, "paying body's code", "发放机构代码"),
    # groups of code cn01, approved cn04, end cn04, yearly standards cn04, paid month cn03 or year cn02; which tag is
    # which is not public
    ), undescribed=tuple(range(0xC9, 0xE3))),
)
# fmt: on
