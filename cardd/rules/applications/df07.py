"""Personnel: honours, experts, demobilised officers (LD/T 32.6 8.6)."""

from typing import Final

from cardd.rules import codes
from cardd.rules.access import either
from cardd.rules.items import Form, Item, ItemType
from cardd.rules.keys import KeyName
from cardd.rules.layout import FileClass, FileRule, Structure, since_2_0

_CN, _AN = ItemType.CN, ItemType.AN
_LV: Final = Structure.LINEAR_VARIABLE
_PREDEFINED: Final = FileClass.PREDEFINED

# fmt: off
FILES: Final = (
    FileRule("DF07EF05", _LV, since_2_0(either(KeyName.RK1DF07)), KeyName.UK1DF07, "honours", "荣誉", _PREDEFINED, items=(
        Item(0xF0, "title", _AN, 0x02, "title", "荣誉称号"),
        Item(0xF1, "level", _AN, 0x01, "level", "级别"),
        Item(0xF2, "title_date", _CN, 0x04, "date of the title", "授予荣誉称号日期", Form.DATE),
        Item(0xF3, "medal", _AN, 0x03, "medal", "荣誉奖章"),
        Item(0xF4, "medal_date", _CN, 0x04, "date of the medal", "授予荣誉奖章日期", Form.DATE),
    )),
    FileRule("DF07EF06", _LV, since_2_0(either(KeyName.RK2DF07)), KeyName.UK2DF07, "experts", "专家", _PREDEFINED, items=(
        Item(0xF5, "category", _AN, 0x03, "category", "专家类别"),
        Item(0xF6, "date", _CN, 0x04, "date", "批准日期", Form.DATE),
        Item(0xF7, "body", _AN, 0x46, "approving body", "批准单位名称"),
    )),
    FileRule("DF07EF07", _LV, since_2_0(either(KeyName.RK3DF07)), KeyName.UK3DF07, "demobilised officers", "军队转业干部",
             _PREDEFINED, items=(
        Item(0xF8, "date", _CN, 0x04, "date", "批准转业日期", Form.DATE),
        Item(0xF9, "placement", _AN, 0x01, "placement", "安置方式", codes=codes.PLACEMENT),
    )),
)
# fmt: on
