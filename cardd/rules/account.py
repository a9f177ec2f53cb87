"""The medical account's own rules: numbers it is spoken to with, and how a year's sums are kept (LD/T 32.7 12)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cardd.base.structs import Struct

OFFLINE: Final = "2"
"""The value of DF04EF05 tag 8F on a card that has an account; on others its commands are refused."""

KEY_INDEXES: Final = (1, 2, 3)
"""What INITIALIZE takes for a key: the version of DPK or DLK that is meant."""

STARTING_DAY_KID: Final = 0x87
"""P2 of EXTERNAL AUTHENTICATION with DSK. No source prints it: it follows the last number of DF04, as elsewhere."""

DES_CODE: Final = 0x00
ALGORITHM_CODES: Final[Mapping[int, int]] = MappingProxyType({1: DES_CODE, 2: 0x02, 3: 0x03})
"""The algorithm byte in answers to INITIALIZE, by the number of the FCI's tag 86; that of SM4 is inferred."""

MOST_SEQUENCE: Final = 0xFFFF
MOST_MONEY: Final = 0xFFFFFFFF
_YEAR: Final = 10_000


class YearSums(Struct, frozen=True):
    """What was paid in a payment year: two sums in fen, the year as a number (0: none yet)."""

    self_paid: int
    pool: int
    year: int


def settled(sums: YearSums, start_day: int, date: int, self_paid: int, pool: int) -> YearSums:
    """Return the sums after a settlement: added to, or begun anew when a new payment year has come.

    `start_day` is mmdd and `date` yyyymmdd as decimal numbers. A date before the year's start is added, too
    (LD/T 32.7 12.6).
    """
    if date - (sums.year * _YEAR + start_day) < _YEAR:
        return YearSums(sums.self_paid + self_paid, sums.pool + pool, sums.year)
    return YearSums(self_paid, pool, payment_year(date, start_day))


def payment_year(date: int, start_day: int) -> int:
    """Return the year whose starting day is the last one not after a date; `date` is yyyymmdd, `start_day` mmdd."""
    year, day = divmod(date, _YEAR)
    return year if day >= start_day else year - 1
