"""Life and health, an application that a card may have (LD/T 32.6 annex B)."""

from typing import Final

from cardd.rules import codes
from cardd.rules.access import FREE
from cardd.rules.items import Form, Item, ItemType
from cardd.rules.keys import KeyName
from cardd.rules.layout import FileRule, Structure, since_2_0

_CN, _AN, _B_TLV = ItemType.CN, ItemType.AN, ItemType.B_TLV


def _warning(tag: int, key: str, en: str, zh: str) -> Item:
    return Item(tag, key, _AN, 0x01, en, zh, codes=codes.WARNING)


# fmt: off
_DRUG: Final = (
    Item(0xA5, "name", _AN, 0x10, "name", "名称"),
    Item(0xA6, "code", _AN, 0x04, "code", "代码"),
)
_DISEASE: Final = (
    Item(0xA7, "name", _AN, 0x10, "name", "名称"),
    Item(0xA8, "code", _AN, 0x03, "code", "代码"),
)

FILES: Final = (
    FileRule("DF05EF05", Structure.LINEAR_VARIABLE, since_2_0(FREE), KeyName.UK1DF05, "life and health", "生命与健康信息",
             items=(
        Item(0xA0, "health", _AN, 0x01, "health", "健康状况", codes=codes.HEALTH),
        Item(0xA1, "disability", _AN, 0x01, "disability", "残疾标识"),
        Item(0xB9, "disability_grade", _AN, 0x01, "disability grade", "残疾等级"),
        Item(0xA2, "blood_type", _AN, 0x04, "ABO blood type as text", "ABO血型"),
        Item(0xA9, "rhesus", _CN, 0x01, "Rh", "RH血型", codes=codes.RHESUS),
        Item(0xA3, "forbidden_drug", _B_TLV, 0x18, "forbidden drug", "禁用药物", count=5, inner=_DRUG),
        Item(0xA4, "major_disease", _B_TLV, 0x17, "major disease", "重大疾病", count=5, inner=_DISEASE),
        Item(0xBA, "allergen", _AN, 0x14, "allergen", "过敏源"),
        Item(0xBB, "reaction", _AN, 0x64, "reaction", "过敏反应"),
        Item(0xAA, "vaccination", _AN, 0x14, "vaccination", "免疫接种名称"),
        Item(0xAB, "vaccination_date", _CN, 0x04, "vaccination date", "免疫接种日期", Form.DATE),
        _warning(0xAC, "asthma", "asthma", "哮喘"),
        _warning(0xAD, "heart", "heart disease", "心脏病"),
        _warning(0xAE, "cardio_cerebral", "cardio-cerebral disease", "心脑血管病"),
        _warning(0xAF, "epilepsy", "epilepsy", "癫痫"),
        _warning(0xB0, "clotting", "clotting disorder", "凝血紊乱"),
        _warning(0xB1, "diabetes", "diabetes", "糖尿病"),
        _warning(0xB2, "glaucoma", "glaucoma", "青光眼"),
        _warning(0xB3, "dialysis", "dialysis", "透析"),
        _warning(0xB4, "transplant", "transplant", "器官移植"),
        _warning(0xB5, "missing_organ", "missing organ", "器官缺失"),
        _warning(0xB6, "prosthesis", "prosthesis", "可装卸假肢"),
        _warning(0xB7, "pacemaker", "pacemaker", "心脏起搏器"),
        _warning(0xBC, "mental", "mental disorder", "精神疾病"),
        Item(0xB8, "other_warning", _AN, 0x28, "other warning", "其他医学警示"),
    )),
)
# fmt: on
