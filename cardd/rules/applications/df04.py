"""Medical insurance: basic data, offline settlement, the account and its transactions (LD/T 32.6 8.5)."""

from types import MappingProxyType
from typing import Final

from cardd.rules import codes
from cardd.rules.access import PIN, both, either
from cardd.rules.generations import Generation
from cardd.rules.items import NO_TAG, Form, Item, ItemType
from cardd.rules.keys import KeyName
from cardd.rules.layout import FileRule, Structure, always, only_1_0, since_2_0

_CN, _AN, _B = ItemType.CN, ItemType.AN, ItemType.B
_LV, _LF, _CY = Structure.LINEAR_VARIABLE, Structure.LINEAR_FIXED, Structure.CYCLIC
_PIN: Final = either(PIN)
_READ: Final = either(PIN, KeyName.RK1DF04)
_BOTH: Final = both(PIN, KeyName.RK1DF04)

# fmt: off
_ACCOUNT_TRANSACTION: Final = (
    Item(NO_TAG, "sequence", _B, 0x02, "sequence", "交易序号"),
    Item(NO_TAG, "type", _AN, 0x01, "type", "交易类型", codes=codes.TRANSACTION_TYPE),
    Item(NO_TAG, "terminal", _CN, 0x06, "terminal", "终端机编号"),
    Item(NO_TAG, "time", _CN, 0x07, "time", "交易时间", Form.TIME),
    Item(NO_TAG, "account_amount", _B, 0x04, "personal-account amount", "个人账户交易金额", Form.YUAN),
)
_TRANSACTION: Final = (
    *_ACCOUNT_TRANSACTION,
    Item(NO_TAG, "self_paid_amount", _B, 0x04, "self-paid amount", "个人自付金额", Form.YUAN),
    Item(NO_TAG, "pool_amount", _B, 0x04, "pool amount", "统筹基金支付金额", Form.YUAN),
)
_SETTLEMENT: Final = (
    # the same number as in EF08
    Item(NO_TAG, "sequence", _B, 0x02, "sequence", "交易序号"),
    Item(NO_TAG, "category", _AN, 0x01, "category", "特殊医疗结算类别", codes=codes.SETTLEMENT_CATEGORY),
)

MONEY: Final = (
    Item(NO_TAG, "online_counter", _B, 0x02, "online counter", "联机交易计数器"),
    Item(NO_TAG, "offline_counter", _B, 0x02, "offline counter", "脱机交易计数器"),
    Item(NO_TAG, "balance", _B, 0x04, "balance", "个人账户余额", Form.YUAN),
    Item(NO_TAG, "self_paid_sum", _B, 0x04, "yearly self-paid sum", "年度个人自付累计", Form.YUAN),
    Item(NO_TAG, "pool_sum", _B, 0x04, "yearly pool sum", "年度统筹基金支付累计", Form.YUAN),
    Item(NO_TAG, "payment_year", _CN, 0x02, "payment year", "结算年度"),
    Item(NO_TAG, "start_day", _CN, 0x02, "year start day, mmdd", "年度起始日"),
)
"""What the money file (医疗保险金额文件) holds inside the card; only GET BALANCE, load and debit reach it."""

FILES: Final = (
    FileRule("DF04EF05", _LV, since_2_0(_READ, _PIN), KeyName.UK1DF04, "medical basic data", "医疗保险基本信息", items=(
        Item(0x81, "insurance_type", _AN, 0x08, "insurance type and flags", "医疗保险险种类型及标识",
             parts=codes.MEDICAL_FLAGS),
        Item(0x84, "region", _CN, 0x03, "insured region", "参保地行政区划代码"),
        Item(0x87, "health_record_number", _AN, 0x11, "health record number", "健康档案编号"),
        Item(0x8C, "insured_category", _CN, 0x01, "insured category", "参保人员类别", codes=codes.INSURED_CATEGORY),
        Item(0x80, "account_opened", _CN, 0x04, "personal account opened", "个人账户建立日期", Form.DATE),
        Item(0x8B, "account_number", _AN, 0x1D, "personal account number", "个人账号"),
        Item(0x8A, "medical_certificate_number", _AN, 0x0F, "medical certificate number", "医疗证号"),
        Item(0x83, "institution_1", _AN, 0x09, "designated institution 1", "定点医疗机构代码1"),
        Item(0x86, "institution_2", _AN, 0x09, "designated institution 2", "定点医疗机构代码2"),
        Item(0x89, "institution_3", _AN, 0x09, "designated institution 3", "定点医疗机构代码3"),
        Item(0x7D, "injury_institution_1", _AN, 0x09, "work-injury institution 1", "工伤协议医疗机构代码1"),
        Item(0x7E, "injury_institution_2", _AN, 0x09, "work-injury institution 2", "工伤协议医疗机构代码2"),
        Item(0x7F, "injury_institution_3", _AN, 0x09, "work-injury institution 3", "工伤协议医疗机构代码3"),
        Item(0x8D, "maternity_institution_1", _AN, 0x09, "maternity institution 1", "生育定点医疗机构代码1"),
        Item(0x8E, "maternity_institution_2", _AN, 0x09, "maternity institution 2", "生育定点医疗机构代码2"),
        Item(0x8F, "card_usage", _AN, 0x01, "card usage mode", "用卡方式", codes=codes.CARD_USAGE),
    )),
    FileRule("DF04EF06", _LV, always(_BOTH), KeyName.UK2DF04, "temporary offline settlement", "临时脱网结算信息", items=(
        Item(0x90, "offline_allowed", _AN, 0x01, "offline settlement allowed", "准许脱网医保结算标识", codes=codes.YES_NO),
        Item(0x92, "offline_sum", _CN, 0x04, "accumulated offline amount", "脱网医保结算累计金额", Form.FEN),
        Item(0x93, "offline_count", _AN, 0x02, "accumulated count", "脱网医保结算累计次数"),
    ), structures=MappingProxyType({Generation.V1: _LF})),
    FileRule("DF04EF08", _CY, always(_PIN), None, "medical transactions", "医疗交易明细", records=30,
             layouts=(_TRANSACTION, _ACCOUNT_TRANSACTION)),
    FileRule("DF04EF09", _LV, only_1_0(_PIN), KeyName.UK3DF04, "residents' medical insurance of 1.0", "居民医疗保险"),
    FileRule("DF04EF15", _CY, since_2_0(_READ), KeyName.UK2DF04, "special settlements", "特殊医疗结算记录", records=8,
             layouts=(_SETTLEMENT,)),
)
# fmt: on
