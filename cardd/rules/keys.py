"""The card's keys by name: identifier on the card, identifier and level in the PSAM (LD/T 32.4 6.1, LD/T 32.9 B)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Final


class KeyName(StrEnum):
    """Keys of the environment."""

    IRK = "IRK"
    STKSSSE = "STKSSSE"
    UKSSSE = "UKSSSE"
    BK = "BK"
    PUK = "PUK"
    RKSSSE = "RKSSSE"


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


@dataclass(frozen=True, slots=True)
class KeyRule:
    """One key.

    `kid` is P2 of EXTERNAL AUTHENTICATION. `psam_id` and `level` say where the rule keeps it; `usages` are the types
    under which PSAMs were seen to deliver it, the usual one first. Level and usage of a real PSAM are those that it
    accepts, so these are the order of trying. `versions` is how many generations a card may store.
    """

    kid: int
    psam_id: int
    level: Level
    usages: tuple[Usage, ...]
    versions: int
    zh: str


def usage_byte(level: Level, usage: Usage) -> int:
    """Return P1 of DELIVER SESSION KEY: levels to diversify in the top three bits, type in the low five."""
    return level << 5 | usage


_AUTHENTICATE: Final = (Usage.ENCRYPT, Usage.MAC_AND_ENCRYPT)
_BOTH: Final = (Usage.MAC_AND_ENCRYPT, Usage.ENCRYPT)

KEYS: Final[Mapping[KeyName, KeyRule]] = MappingProxyType(
    {
        KeyName.IRK: KeyRule(0x00, 0x08, Level.NATIONAL, _AUTHENTICATE, 3, "内部认证密钥"),
        KeyName.STKSSSE: KeyRule(0x02, 0x09, Level.NATIONAL, _BOTH, 1, "安全报文密钥"),
        KeyName.UKSSSE: KeyRule(0x04, 0x12, Level.PROVINCIAL, _BOTH, 3, "环境更新密钥"),
        KeyName.BK: KeyRule(0x05, 0x11, Level.PROVINCIAL, _AUTHENTICATE, 1, "卡锁定密钥"),
        KeyName.PUK: KeyRule(0x06, 0x10, Level.PROVINCIAL, _AUTHENTICATE, 1, "PIN解锁密钥"),
        KeyName.RKSSSE: KeyRule(0x0A, 0x0A, Level.NATIONAL, _AUTHENTICATE, 3, "环境读取密钥"),
    }
)
