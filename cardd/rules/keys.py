"""The card's keys by name: identifier on the card, identifier and level in the PSAM (LD/T 32.4 6.1, LD/T 32.9 B)."""

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Final

from cardd.base.structs import Struct


class KeyName(StrEnum):
    """Keys of the environment and of its applications, as the rule calls them.

    IRK proves the card, RK… read, UK… write, STK… secure messages, LK and BK block, PUK frees the PIN; DPK debits, DLK
    loads, DTK signs, DSK sets the starting day.
    """

    IRK = "IRK"
    STKSSSE = "STKSSSE"
    UKSSSE = "UKSSSE"
    BK = "BK"
    PUK = "PUK"
    RKSSSE = "RKSSSE"
    STKDF01 = "STKDF01"
    UK1DF01 = "UK1DF01"
    UK2DF01 = "UK2DF01"
    UK3DF01 = "UK3DF01"
    UK4DF01 = "UK4DF01"
    UK5DF01 = "UK5DF01"
    UK6DF01 = "UK6DF01"
    UK7DF01 = "UK7DF01"
    UK8DF01 = "UK8DF01"
    UK9DF01 = "UK9DF01"
    UKADF01 = "UKADF01"
    UKBDF01 = "UKBDF01"
    RK1DF01 = "RK1DF01"
    STKDF02 = "STKDF02"
    UK1DF02 = "UK1DF02"
    UK2DF02 = "UK2DF02"
    UK3DF02 = "UK3DF02"
    UK4DF02 = "UK4DF02"
    UK5DF02 = "UK5DF02"
    UK6DF02 = "UK6DF02"
    RK1DF02 = "RK1DF02"
    STKDF03 = "STKDF03"
    LKDF03 = "LKDF03"
    UK1DF03 = "UK1DF03"
    UK2DF03 = "UK2DF03"
    UK3DF03 = "UK3DF03"
    UK4DF03 = "UK4DF03"
    UK5DF03 = "UK5DF03"
    UK6DF03 = "UK6DF03"
    UK7DF03 = "UK7DF03"
    UK8DF03 = "UK8DF03"
    RK1DF03 = "RK1DF03"
    RK2DF03 = "RK2DF03"
    RK3DF03 = "RK3DF03"
    RK4DF03 = "RK4DF03"
    RK5DF03 = "RK5DF03"
    STKDF04 = "STKDF04"
    LKDF04 = "LKDF04"
    UK1DF04 = "UK1DF04"
    UK2DF04 = "UK2DF04"
    UK3DF04 = "UK3DF04"
    RK1DF04 = "RK1DF04"
    DPK = "DPK"
    DLK = "DLK"
    DTK = "DTK"
    DSK = "DSK"
    STKDF05 = "STKDF05"
    UK1DF05 = "UK1DF05"
    UK1DF06 = "UK1DF06"
    UK2DF06 = "UK2DF06"
    RK1DF06 = "RK1DF06"
    STKDF07 = "STKDF07"
    UK1DF07 = "UK1DF07"
    UK2DF07 = "UK2DF07"
    UK3DF07 = "UK3DF07"
    RK1DF07 = "RK1DF07"
    RK2DF07 = "RK2DF07"
    RK3DF07 = "RK3DF07"


class Level(IntEnum):
    """Whose key a PSAM holds; the value is the number of factors still to be given: 3 is province, city, card."""

    CITY = 1
    PROVINCIAL = 2
    NATIONAL = 3


class Usage(IntEnum):
    """What a PSAM lets a key do: the low five bits of the usage byte."""

    DEBIT = 2
    MAC = 6
    ENCRYPT = 7
    MAC_AND_ENCRYPT = 8
    LOAD = 9
    TAC = 12


class KeyRule(Struct, frozen=True):
    """One key that has an identifier on the card.

    `application` is where it lies. `kid` is P2 of EXTERNAL AUTHENTICATION: its top bit says that the key is local to
    an application. `psam_id` and `level` say where the rule keeps it; `usages` are the types under which PSAMs were
    seen to deliver it, the usual one first. Level and usage of a real PSAM are those that it accepts, so these are the
    order of trying. `versions` is how many generations a card may store. `inferred` marks a kid that no source prints:
    it continues the pattern of its neighbours, and has to be configurable.
    """

    application: str
    kid: int
    psam_id: int
    level: Level
    usages: tuple[Usage, ...]
    versions: int
    zh: str
    length: int = 16
    des_length: int = 16
    inferred: bool = False

    @property
    def local(self) -> bool:
        """Tell whether the key is one of the application, not of the environment."""
        return bool(self.kid & 0x80)


class MoneyKeyRule(Struct, frozen=True):
    """One key of the medical account: no command names an identifier of it, only its index, 1 to `versions`.

    In a PSAM the debit key has an identifier a version, the others have one.
    """

    psam_ids: tuple[int, ...]
    level: Level
    usages: tuple[Usage, ...]
    versions: int
    zh: str
    length: int = 16


def usage_byte(level: Level, usage: Usage) -> int:
    """Return P1 of DELIVER SESSION KEY: levels to diversify in the top three bits, type in the low five."""
    return level << 5 | usage


_AUTHENTICATE: Final = (Usage.ENCRYPT, Usage.MAC_AND_ENCRYPT)
_BOTH: Final = (Usage.MAC_AND_ENCRYPT, Usage.ENCRYPT)
_N, _P = Level.NATIONAL, Level.PROVINCIAL


def _reads(application: str, kid: int, psam_id: int, *, inferred: bool = False) -> KeyRule:
    return KeyRule(application, kid, psam_id, _N, _AUTHENTICATE, 3, "读取密钥", inferred=inferred)


def _writes(application: str, kid: int, psam_id: int, level: Level, *, inferred: bool = False) -> KeyRule:
    return KeyRule(application, kid, psam_id, level, _AUTHENTICATE, 3, "更新密钥", inferred=inferred)


def _messages(application: str, kid: int, psam_id: int, *, inferred: bool = False) -> KeyRule:
    return KeyRule(application, kid, psam_id, _N, _BOTH, 1, "安全报文密钥", des_length=8, inferred=inferred)


def _locks(application: str, kid: int, psam_id: int) -> KeyRule:
    return KeyRule(application, kid, psam_id, _P, _AUTHENTICATE, 1, "应用锁定密钥")


# fmt: off
KEYS: Final[Mapping[KeyName, KeyRule]] = MappingProxyType({
    KeyName.IRK:     KeyRule("SSSE", 0x00, 0x08, _N, _AUTHENTICATE, 3, "内部认证密钥"),
    KeyName.STKSSSE: _messages("SSSE", 0x02, 0x09),
    KeyName.UKSSSE:  KeyRule("SSSE", 0x04, 0x12, _P, _BOTH, 3, "环境更新密钥"),
    KeyName.BK:      KeyRule("SSSE", 0x05, 0x11, _P, _AUTHENTICATE, 1, "卡锁定密钥"),
    KeyName.PUK:     KeyRule("SSSE", 0x06, 0x10, _P, _AUTHENTICATE, 1, "PIN解锁密钥"),
    KeyName.RKSSSE:  KeyRule("SSSE", 0x0A, 0x0A, _N, _AUTHENTICATE, 3, "环境读取密钥"),

    KeyName.STKDF01: _messages("DF01", 0x82, 0x20),
    KeyName.UK1DF01: _writes("DF01", 0x83, 0x42, _P),
    KeyName.UK2DF01: _writes("DF01", 0x84, 0x43, _P),
    KeyName.UK3DF01: _writes("DF01", 0x85, 0x24, _N),
    KeyName.UK4DF01: _writes("DF01", 0x86, 0x25, _N),
    KeyName.UK5DF01: _writes("DF01", 0x87, 0x44, _P),
    KeyName.RK1DF01: _reads("DF01", 0x88, 0x2E),
    KeyName.UK6DF01: _writes("DF01", 0x89, 0x2F, _N),
    KeyName.UK7DF01: _writes("DF01", 0x8A, 0x30, _N, inferred=True),
    KeyName.UK8DF01: _writes("DF01", 0x8B, 0x31, _N, inferred=True),
    KeyName.UK9DF01: _writes("DF01", 0x8C, 0x32, _N, inferred=True),
    KeyName.UKADF01: _writes("DF01", 0x8D, 0x33, _N, inferred=True),
    KeyName.UKBDF01: _writes("DF01", 0x8E, 0x34, _N, inferred=True),

    KeyName.STKDF02: _messages("DF02", 0x82, 0x21),
    KeyName.UK1DF02: _writes("DF02", 0x83, 0x26, _N),
    KeyName.UK2DF02: _writes("DF02", 0x84, 0x45, _P),
    KeyName.UK3DF02: _writes("DF02", 0x85, 0x46, _P),
    KeyName.UK4DF02: _writes("DF02", 0x86, 0x27, _N),
    KeyName.UK5DF02: _writes("DF02", 0x87, 0x28, _N),
    KeyName.RK1DF02: _reads("DF02", 0x88, 0x35),
    KeyName.UK6DF02: _writes("DF02", 0x89, 0x36, _N),

    KeyName.STKDF03: _messages("DF03", 0x82, 0x22),
    KeyName.LKDF03:  _locks("DF03", 0x83, 0x40),
    KeyName.RK1DF03: _reads("DF03", 0x84, 0x2B),
    KeyName.RK2DF03: _reads("DF03", 0x85, 0x2C),
    KeyName.UK1DF03: _writes("DF03", 0x86, 0x47, _P),
    KeyName.UK2DF03: _writes("DF03", 0x87, 0x29, _N),
    KeyName.UK3DF03: _writes("DF03", 0x88, 0x48, _P),
    KeyName.UK4DF03: _writes("DF03", 0x89, 0x37, _N),
    KeyName.UK5DF03: _writes("DF03", 0x8A, 0x38, _N),
    KeyName.UK6DF03: _writes("DF03", 0x8B, 0x39, _N),
    KeyName.UK7DF03: _writes("DF03", 0x8C, 0x3A, _N),
    KeyName.UK8DF03: _writes("DF03", 0x8D, 0x3B, _N),

    KeyName.STKDF04: _messages("DF04", 0x82, 0x23),
    KeyName.LKDF04:  _locks("DF04", 0x83, 0x41),
    KeyName.RK1DF04: _reads("DF04", 0x84, 0x2D),
    KeyName.UK1DF04: _writes("DF04", 0x85, 0x49, _P),
    KeyName.UK2DF04: _writes("DF04", 0x86, 0x2A, _N),

    KeyName.STKDF07: _messages("DF07", 0x82, 0x3C, inferred=True),
    KeyName.RK1DF07: _reads("DF07", 0x83, 0x3D, inferred=True),
    KeyName.UK1DF07: _writes("DF07", 0x84, 0x3E, _N, inferred=True),
    KeyName.RK2DF07: _reads("DF07", 0x85, 0x3F, inferred=True),
    KeyName.UK2DF07: _writes("DF07", 0x86, 0xB0, _N, inferred=True),
    KeyName.RK3DF07: _reads("DF07", 0x87, 0xB1, inferred=True),
    KeyName.UK3DF07: _writes("DF07", 0x88, 0xB2, _N, inferred=True),

    KeyName.STKDF05: _messages("DF05", 0x82, 0xB3, inferred=True),
    KeyName.UK1DF05: _writes("DF05", 0x83, 0xB4, _N, inferred=True),
})

MONEY_KEYS: Final[Mapping[KeyName, MoneyKeyRule]] = MappingProxyType({
    KeyName.DPK: MoneyKeyRule((0x01, 0x02, 0x03), _N, (Usage.DEBIT,), 3, "消费密钥"),
    KeyName.DLK: MoneyKeyRule((0x4B,), _P, (Usage.LOAD,), 3, "圈存密钥"),
    KeyName.DTK: MoneyKeyRule((0x4C,), _P, (Usage.TAC,), 3, "TAC密钥"),
    KeyName.DSK: MoneyKeyRule((0x4A,), _P, _AUTHENTICATE, 3, "起始日更新密钥"),
})
# fmt: on

ENVIRONMENT_KEYS: Final[Mapping[KeyName, KeyRule]] = MappingProxyType(
    {name: rule for name, rule in KEYS.items() if rule.application == "SSSE"}
)
"""Keys that lie in the environment itself."""

UNPUBLISHED: Final = frozenset(KeyName) - frozenset(KEYS) - frozenset(MONEY_KEYS)
"""Keys that access conditions name and for which no source prints an identifier, on the card or in a PSAM."""

ISSUER_KIDS: Final = (0x07, 0x0D)
"""Identifiers of local keys seen on cards for issuers' own files, EF0C and on."""
