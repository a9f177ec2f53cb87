"""Value tables of the rule: codes as they are stored, and what they mean (LD/T 32.6, GB 3304, ISO 3166)."""

from types import MappingProxyType
from typing import Final

from cardd.rules.items import Codes, Part


def _table(**codes: str) -> Codes:
    """Return a value table; the underscore in front of a code is there for the syntax alone."""
    return MappingProxyType({code.removeprefix("_"): meaning for code, meaning in codes.items()})


def _words(first: int, words: str, digits: int) -> dict[str, str]:
    return {f"{number:0{digits}d}": word for number, word in enumerate(words.split(), first)}


# fmt: off
CARD_CLASS: Final = _table(_1="pre-school", _2="student", _3="adult or undivided", _4="elderly")
SEX: Final = _table(_1="male", _2="female", _9="not stated")
ETHNIC_GROUP: Final[Codes] = MappingProxyType({
    **_words(1, "汉 蒙古 回 藏 维吾尔 苗 彝 壮 布依 朝鲜 满 侗 瑶 白 土家 哈尼 哈萨克 傣 黎 傈僳 佤 畲 高山 拉祜 水 东乡 纳西 "
                "景颇 柯尔克孜 土 达斡尔 仫佬 羌 布朗 撒拉 毛南 仡佬 锡伯 阿昌 普米 塔吉克 怒 乌孜别克 俄罗斯 鄂温克 德昂 "
                "保安 裕固 京 塔塔尔 独龙 鄂伦春 赫哲 门巴 珞巴 基诺", 2),
    "99": "other",
})
HOUSEHOLD_TYPE: Final = _table(
    _10="non-rural", _11="local non-rural", _12="outside non-rural",
    _20="rural", _21="local rural", _22="outside rural",
    _30="Hong Kong, Macao, Taiwan, overseas", _31="Hong Kong", _32="Macao", _33="Taiwan", _34="overseas Chinese",
    _40="foreigner", _41="foreigner without permanent residence", _42="foreigner with permanent residence",
    _50="resident, undivided", _51="local resident", _52="outside resident",
)
WORK_STATUS: Final = _table(
    _1="employed", _2="veteran-cadre retired", _3="retired", _4="resigned with pension", _5="unemployed", _6="no job",
    _7="never employed", _8="other",
)
MARITAL_STATUS: Final = _table(_1="single", _2="married", _3="widowed", _4="divorced", _9="not stated")
PERSONAL_CATEGORY: Final = _table(
    _11="civil servant", _12="quasi civil servant", _13="professional", _17="staff", _21="manager", _24="worker",
    _27="farmer", _31="student", _37="soldier", _51="freelancer", _54="self-employed", _70="no job", _80="retired",
    _90="other",
)
POLITICAL_STATUS: Final[Codes] = MappingProxyType({
    "01": "party member", "02": "probationary member", "03": "youth league",
    **dict.fromkeys((f"{number:02d}" for number in range(4, 12)), "a democratic party"),
    "12": "non-party personage", "13": "masses",
})
EDUCATION: Final = _table(
    _11="doctor", _14="master", _21="bachelor", _31="college", _41="vocational", _44="vocational", _47="vocational",
    _61="high school", _71="junior school", _81="primary school", _90="other",
)
TITLE_LEVEL: Final = _table(
    _410="senior", _411="senior", _412="senior", _420="middle", _430="junior", _434="junior", _435="junior",
    _499="none",
)

ASSESSMENT_MATTER: Final = _table(
    _10="assessment", _20="longer leave", _30="aids", _40="rehabilitation", _50="related disease", _60="relapse",
    _70="other", _80="dependants of the dead", _90="illness",
)
DISABILITY_GRADE: Final[Codes] = MappingProxyType(
    {**dict.fromkeys((f"{grade:02d}" for grade in range(1, 11)), ""), "11": "none"}
)
SELF_CARE: Final = _table(_1="total", _2="most", _3="part", _4="none")
WORK_CAPACITY: Final = _table(_0="partial", _1="full")
YES_NO: Final = _table(_0="no", _1="yes")
PENSION_TYPE: Final = _table(
    _110="employees' pension", _120="institutions' pension", _150="rural pension", _160="urban residents' pension",
    _170="urban and rural residents' pension",
)
SUPPORT_TYPE: Final[Codes] = MappingProxyType({**PENSION_TYPE, "410": "work injury"})
MEDICAL_TYPE: Final = _table(
    _310="employees", _340="veteran cadres", _360="Red Army veterans", _380="rural cooperative",
    _390="urban and rural residents", _391="urban residents",
)
INSURANCE_TYPE: Final[Codes] = MappingProxyType({
    **PENSION_TYPE, "210": "unemployment",
    "310": "medical, employees", "380": "medical, rural cooperative", "390": "medical, urban and rural residents",
    "391": "medical, urban residents", "410": "work injury", "510": "maternity",
})
INJURY_DECISION: Final = _table(_1="injury", _2="deemed injury", _3="not injury", _4="not deemed injury")
SUPPORT_RELATION: Final[Codes] = MappingProxyType(
    {"1": "spouse", "2": "child", "4": "grandchild", "5": "parent", "6": "grandparent", "7": "sibling"}
)
INSURED_CATEGORY: Final = _table(
    _11="working", _21="retired", _22="retired elsewhere", _31="veteran cadre", _32="Red Army", _33="disabled soldier",
    _34="special care", _91="other",
)
CARD_USAGE: Final = _table(_1="online", _2="offline")
TRANSACTION_TYPE: Final = _table(_1="load", _2="settlement")
SETTLEMENT_CATEGORY: Final = _table(_1="work injury", _2="maternity", _3="medical relief", _9="other")
PLACEMENT: Final = _table(_1="planned", _2="self-chosen", _3="converted", _9="other")
HEALTH: Final = _table(_1="", _2="", _3="", _4="")
RHESUS: Final = _table(_01="negative", _02="positive", _03="unknown")
WARNING: Final = _table(_0="no", _1="yes", _2="unknown")

MEDICAL_FLAGS: Final = (
    Part(3, "type", MEDICAL_TYPE),
    Part(1, "treatment elsewhere approved", YES_NO),
    Part(1, "outpatient pooling", YES_NO),
    Part(1, "serious outpatient disease", YES_NO),
    Part(1, "medical relief", YES_NO),
    Part(1, "veterans' subsidy", YES_NO),
)
REGISTRATION: Final = (
    Part(2, "type", _table(_10="start", _20="end")),
    Part(3, "form", MappingProxyType(dict.fromkeys(("010", "020", "021", "022", "023", "030", "990"), ""))),
)
UNEMPLOYMENT: Final = (Part(2, "type"), Part(2, "reason"), Part(2, "cancel reason"))
# fmt: on
