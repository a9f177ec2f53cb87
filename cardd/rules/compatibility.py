"""Items whose meaning changed after 1.0, and how a card tells which one it holds (LD/T 32.6 annex C; LB002-2000).

A 1.0 card's records keep their old length. When such a record is rewritten with the new meaning, the value is filled
with nibbles E: a value that ends in EE has the new meaning and the new length. Where both meanings have one length
nothing can be filled, and a neighbour in the same file decides.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cardd.base.structs import Struct
from cardd.rules.generations import Generation
from cardd.rules.items import Form, Item, ItemType
from cardd.rules.layout import FileRule

_CN, _AN = ItemType.CN, ItemType.AN
_FILLED: Final = 0xEE

# fmt: off
OLD_MEANINGS: Final[Mapping[str, tuple[Item, ...]]] = MappingProxyType({
    "DF01EF09": (
        Item(0x32, "employer_type", _AN, 0x03, "employer type", "单位类型"),
    ),
    "DF01EF0A": (
        Item(0x37, "contribution_base", _CN, 0x04, "contribution base", "缴费基数", Form.FEN),
        Item(0x38, "last_years_pay", _CN, 0x04, "last year's pay", "上年工资", Form.FEN),
        Item(0x39, "update_date", _CN, 0x04, "update date", "信息更新日期", Form.DATE),
    ),
    "DF02EF06": (
        Item(0x4B, "first_job_date", _CN, 0x04, "first job date", "首次参加工作日期", Form.DATE),
        Item(0x4D, "contract_signed", _CN, 0x04, "contract signed", "合同签订日期", Form.DATE),
        Item(0x4F, "contract_ended", _CN, 0x04, "contract ended", "合同终止日期", Form.DATE),
        Item(0x50, "contract_from", _CN, 0x04, "contract from", "合同起始日期", Form.DATE),
    ),
    "DF02EF09": (
        Item(0x55, "permit_number", _CN, 0x0A, "permit number", "就业证号"),
        Item(0x56, "issuer", _AN, 0x46, "issuer", "发证机构"),
        Item(0x96, "issue_date", _CN, 0x04, "issue date", "发证日期", Form.DATE),
        Item(0x97, "valid_until", _CN, 0x04, "valid until", "有效期", Form.DATE),
    ),
    "DF03EF05": (
        Item(0x61, "monthly_payment", _CN, 0x04, "monthly payment", "月发放金额", Form.FEN),
    ),
    "DF03EF07": (
        Item(0x6F, "account_change_date", _CN, 0x04, "account change date", "账户变动日期", Form.DATE),
        Item(0x70, "months_paid", _AN, 0x03, "months paid", "缴费月数"),
        Item(0x71, "personal_savings", _CN, 0x04, "personal savings", "个人账户储存额", Form.FEN),
    ),
    "DF04EF05": (
        Item(0x81, "hospital_1", _AN, 0x46, "name of hospital 1", "定点医院1名称"),
        Item(0x84, "hospital_2", _AN, 0x46, "name of hospital 2", "定点医院2名称"),
        Item(0x87, "hospital_3", _AN, 0x46, "name of hospital 3", "定点医院3名称"),
        Item(0x8B, "old_account_number", _AN, 0x0A, "personal account number", "个人账号"),
    ),
    "DF04EF06": (
        Item(0x90, "balance", _CN, 0x04, "balance", "账户余额", Form.FEN),
        Item(0x92, "yearly_self_paid", _CN, 0x04, "yearly self-paid", "年度个人自付累计", Form.FEN),
        Item(0x93, "yearly_pool", _CN, 0x04, "yearly pool", "年度统筹支付累计", Form.FEN),
    ),
})
# fmt: on

JUDGED_BY: Final[Mapping[str, Mapping[int, int]]] = MappingProxyType(
    {
        "DF01EF0A": MappingProxyType({0x39: 0x38}),
        "DF02EF09": MappingProxyType({0x56: 0x55, 0x96: 0x55, 0x97: 0x55}),
        "DF03EF07": MappingProxyType({0x6F: 0x71, 0x70: 0x71}),
        "DF04EF06": MappingProxyType({0x92: 0x90}),
    }
)
"""Tags whose meaning another tag of the file tells."""

LENGTHS_NOT_PUBLISHED: Final = frozenset(
    {("DF01EF0A", 0x39), ("DF02EF09", 0x56), ("DF02EF09", 0x96), ("DF03EF07", 0x6F), ("DF03EF07", 0x70)}
    | {("DF04EF06", 0x92), ("DF04EF06", 0x93)}
)
"""Old items of which the sources print no type and length: those of the table above are taken from their neighbours."""


_TOLD_TWICE: Final[Mapping[tuple[str, int], Item]] = MappingProxyType(
    {
        ("DF02EF09", 0x55): Item(0x55, "certificate_number", _CN, 0x08, "certificate number", "就业失业登记证编号"),
    }
)
"""Items of which annex C says another type and length than the table of items; the length tells which a card has."""


class OldFile(Struct, frozen=True):
    """What a file was for on a 1.0 card, where that is not what it is for now."""

    en: str
    zh: str


OLD_FILES: Final[Mapping[str, OldFile]] = MappingProxyType(
    {
        "DF01EF06": OldFile("communication: address, post code, telephone", "通讯信息"),
        "DF01EF0A": OldFile("salary", "工资信息"),
        "DF02EF09": OldFile("permit of migrant workers", "外来人员就业证"),
        "DF04EF06": OldFile("account", "个人账户"),
    }
)


def old_item(file: str, tag: int) -> Item | None:
    """Return what a tag of a file meant in 1.0, None where it did not mean anything else."""
    return next((item for item in OLD_MEANINGS.get(file, ()) if item.tag == tag), None)


def has_old_meaning(rule: FileRule, generation: Generation, tag: int, records: Mapping[int, bytes]) -> bool:
    """Tell whether a tag's value on a card is meant as in 1.0, from all the values of the file by tag.

    Only a 1.0 card can hold an old meaning. There a value means the new thing when it ends in EE, or when it has the
    new length and not the old one; where the tag's neighbour decides, the neighbour's value is looked at instead.
    """
    judge = JUDGED_BY.get(rule.address, {}).get(tag, tag)
    raw = records.get(judge) or records.get(tag, b"")
    judged = judge if records.get(judge) else tag
    old, new = old_item(rule.address, judged), rule.item(judged)
    if generation is not Generation.V1 or old is None or new is None or old_item(rule.address, tag) is None:
        return False
    if not raw:
        return False
    return raw[-1] != _FILLED and not len(raw) == new.length != old.length


def item_of(rule: FileRule, tag: int, raw: bytes) -> Item | None:
    """Return what stands under a tag of a file, by its length where the sources tell it in two ways."""
    usual, other = rule.item(tag), _TOLD_TWICE.get((rule.address, tag))
    if usual is None or other is None or len(raw) == usual.length:
        return usual
    return other if len(unfilled(raw, other.length)) == other.length else usual


def unfilled(raw: bytes, length: int) -> bytes:
    """Return a value without the bytes EE that fill it up behind its new length; any other value as it is."""
    if len(raw) > length and not raw[length:].strip(bytes((_FILLED,))):
        return raw[:length]
    return raw
