"""Social insurance other than medical: unemployment, assessment, pension, injury, maternity (LD/T 32.6 8.4)."""

from typing import Final

from cardd.rules import codes
from cardd.rules.access import PIN, any_of, both, either
from cardd.rules.items import Form, Item, ItemType
from cardd.rules.keys import KeyName
from cardd.rules.layout import FileRule, Structure, only_1_0, since_2_0

_CN, _AN, _B_TLV = ItemType.CN, ItemType.AN, ItemType.B_TLV
_LV, _LF = Structure.LINEAR_VARIABLE, Structure.LINEAR_FIXED
_READ: Final = either(PIN, KeyName.RK1DF03)
_READ_UNEMPLOYMENT: Final = either(PIN, KeyName.RK2DF03)

# fmt: off
_CONFIRMATION: Final = (
    Item(0x13, "matter", _AN, 0x02, "matter code", "申请确认事项代码", codes=codes.ASSESSMENT_MATTER),
    Item(0x14, "result", _AN, 0x01, "result", "确认事项结论", codes=codes.YES_NO),
    Item(0x15, "aid", _AN, 0x14, "aid item", "配置辅助器具项目名称"),
    Item(0x16, "date", _CN, 0x04, "date", "确认日期", Form.DATE),
    Item(0x17, "body", _AN, 0x3C, "body", "确认机构名称"),
)
_CERTIFICATE: Final = (
    Item(0x18, "insurance_type", _AN, 0x03, "insurance type", "险种类型", codes=codes.INSURANCE_TYPE),
    Item(0x19, "region", _CN, 0x03, "region", "参保地"),
    Item(0x1A, "start", _CN, 0x04, "local start date", "本地参保起始日期", Form.DATE),
    Item(0x1B, "end", _CN, 0x04, "local end date", "本地参保终止日期", Form.DATE),
    Item(0x1C, "payments", _CN, 0x04, "personal payments", "本地个人实际缴费金额", Form.FEN),
    Item(0x1D, "months", _AN, 0x03, "months paid", "本地实际缴费月数"),
    Item(0x1E, "issue_date", _CN, 0x04, "issue date", "凭证出具日期", Form.DATE),
)

FILES: Final = (
    FileRule("DF03EF05", _LV, since_2_0(_READ_UNEMPLOYMENT, both(PIN, KeyName.RK2DF03)), KeyName.UK1DF03,
             "unemployment insurance", "失业保险", items=(
        Item(0x61, "region", _CN, 0x03, "insured region", "失业保险参保地行政区划代码"),
        Item(0x60, "last_registration", _CN, 0x04, "last unemployment registration", "最近一次办理失业登记日期", Form.DATE),
        Item(0x98, "last_claim", _CN, 0x04, "last benefit claim", "最近一次失业保险金申领日期", Form.DATE),
        Item(0x62, "update_date", _CN, 0x04, "claim report or update date", "申领报到日期/信息更新日期", Form.DATE),
        Item(0x63, "months_paid", _AN, 0x03, "months paid in total", "累计缴费年限"),
        Item(0x64, "effective_months", _AN, 0x03, "effective months", "有效缴费年限"),
        Item(0x65, "months_due", _AN, 0x03, "months due", "应领取失业保险金月数"),
        Item(0x66, "months_received", _AN, 0x03, "months received", "已领取失业保险金月数"),
    )),
    FileRule("DF03EF06", _LV, since_2_0(_READ, either(PIN)), KeyName.UK2DF03,
             "work-capacity assessment", "劳动能力鉴定", items=(
        Item(0x45, "assessment_number", _AN, 0x14, "assessment number", "劳动能力鉴定编号"),
        Item(0x46, "matter", _AN, 0x02, "matter code", "申请鉴定事项代码", codes=codes.ASSESSMENT_MATTER),
        Item(0x47, "disability_grade", _AN, 0x02, "disability grade", "伤残等级", codes=codes.DISABILITY_GRADE),
        Item(0x48, "self_care", _AN, 0x01, "self-care grade", "生活自理障碍等级", codes=codes.SELF_CARE),
        Item(0x49, "work_capacity", _AN, 0x01, "loss of work capacity", "丧失劳动能力鉴定结论", codes=codes.WORK_CAPACITY),
        Item(0x67, "date", _CN, 0x04, "assessment date", "劳动能力鉴定日期", Form.DATE),
        Item(0x6B, "body", _AN, 0x3C, "assessing body", "劳动能力鉴定机构名称"),
        Item(0x4A, "confirmation", _B_TLV, 0x61, "confirmation matter", "申请确认事项", count=3, inner=_CONFIRMATION),
    )),
    FileRule("DF03EF07", _LV, since_2_0(_READ, both(PIN, KeyName.RK1DF03)), KeyName.UK3DF03, "pension", "养老保险", items=(
        Item(0x70, "pension_type", _AN, 0x03, "pension type", "养老保险险种类型", codes=codes.PENSION_TYPE),
        Item(0x71, "region", _CN, 0x03, "insured region", "养老保险参保地"),
        Item(0x6E, "account_opened", _CN, 0x04, "personal account opened", "个人账户建立日期", Form.DATE),
        Item(0x6C, "retirement_date", _CN, 0x04, "retirement date", "离退休日期", Form.DATE),
        Item(0x6F, "benefit_start", _CN, 0x04, "benefit start", "待遇享受开始日期", Form.DATE),
        Item(0x73, "update_date", _CN, 0x04, "update date", "信息更新日期", Form.DATE),
    )),
    # drafts of 1.0 had three more files; the update keys continue the order of the files before them
    FileRule("DF03EF08", _LV, only_1_0(any_of(both(PIN, KeyName.RK3DF03), either(KeyName.UK4DF03))), KeyName.UK4DF03,
             "work injury insurance of 1.0", "工伤保险"),
    FileRule("DF03EF09", _LV, only_1_0(any_of(both(PIN, KeyName.RK4DF03), either(KeyName.UK5DF03))), KeyName.UK5DF03,
             "maternity insurance of 1.0", "生育保险"),
    FileRule("DF03EF0A", _LV, only_1_0(any_of(both(PIN, KeyName.RK5DF03), either(KeyName.UK6DF03))), KeyName.UK6DF03,
             "rural pension of 1.0", "农村养老保险"),
    FileRule("DF03EF15", _LV, since_2_0(_READ), KeyName.UK4DF03, "work injury insurance", "工伤保险", items=(
        Item(0x7A, "region", _CN, 0x03, "insured region", "工伤保险参保地"),
        Item(0x7B, "benefit_start", _CN, 0x04, "regular benefit start", "工伤定期待遇享受开始日期", Form.DATE),
        Item(0x7C, "update_date", _CN, 0x04, "update date", "信息更新日期", Form.DATE),
    )),
    FileRule("DF03EF16", _LV, since_2_0(_READ), KeyName.UK5DF03, "maternity", "生育保险", items=(
        Item(0x51, "region", _CN, 0x03, "insured region", "生育保险参保地"),
        Item(0x5F, "spouse_without_job", _AN, 0x01, "spouse without job", "职工未就业配偶标识", codes=codes.YES_NO),
    )),
    FileRule("DF03EF17", _LV, since_2_0(_READ), KeyName.UK6DF03, "work-injury decision", "工伤认定", items=(
        Item(0x3B, "decision_number", _AN, 0x14, "decision number", "工伤认定编号"),
        Item(0x3C, "employer", _AN, 0x46, "employer", "用人单位名称"),
        Item(0x3D, "result", _AN, 0x01, "result", "工伤认定结论", codes=codes.INJURY_DECISION),
        Item(0x3E, "date", _CN, 0x04, "date", "工伤认定日期", Form.DATE),
        Item(0x3F, "body", _AN, 0x3C, "deciding body", "工伤认定部门名称"),
    )),
    FileRule("DF03EF18", _LV, since_2_0(_READ), KeyName.UK7DF03, "dependants", "供养亲属", items=(
        Item(0x74, "insurance_type", _AN, 0x03, "insurance type", "供养险种类型", codes=codes.SUPPORT_TYPE),
        Item(0x75, "region", _CN, 0x03, "region", "参保地"),
        Item(0x76, "relation", _CN, 0x01, "relation", "供养关系", codes=codes.SUPPORT_RELATION),
        Item(0x77, "benefit_start", _CN, 0x04, "benefit start", "供养待遇享受开始日期", Form.DATE),
        Item(0x78, "update_date", _CN, 0x04, "update date", "信息更新日期", Form.DATE),
    )),
    FileRule("DF03EF19", _LF, since_2_0(_READ), KeyName.UK8DF03, "insurance certificate", "参保凭证", items=(
        Item(0x79, "certificate", _B_TLV, 0x27, "certificate: pension, medical, unemployment, spare", "参保凭证信息",
             count=4, inner=_CERTIFICATE),
    )),
)
# fmt: on
