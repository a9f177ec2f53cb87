"""Result codes of the terminal driver (LD/T 33; notice 人社信息函[2016]38号, annex A).

A card's refusal is its negated status word, the rest is a table.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# fmt: off
DRIVER_ERRORS: Final[Mapping[int, str]] = MappingProxyType({
    -1:    "wrong card type, or inserted wrongly",
    -2:    "no card",
    -3:    "card present but not powered",
    -4:    "card does not answer",
    -5:    "dynamic library not loaded",
    -11:   "reader connection error",
    -12:   "not connected",
    -13:   "command not supported by the library",
    -14:   "bad parameter",
    -15:   "checksum",
    -20:   "card identification code malformed",
    -21:   "internal authentication failed: card not genuine",
    -22:   "given data differ from the card's",
    -23:   "given data illegal",
    -24:   "PSAM key level not enough",
    -31:   "holder cancelled",
    -32:   "keypad timeout",
    -33:   "PIN length wrong",
    -34:   "two new PINs differ",
    -35:   "initial PIN may not trade (reserved)",
    -36:   "may not change to the initial PIN (reserved)",
    -41:   "illegal characters in data",
    -42:   "data length wrong",
    -51:   "PIN wrong, tries left",
    -52:   "PIN locked",
    -2201: "no PSAM",
    -2202: "PSAM lacks the algorithm",
    -2203: "PSAM lacks RKSSSE",
    -2204: "HSM not needed: the file is free or wants the PIN only",
})
# fmt: on

ASK_THE_HSM: Final = frozenset({-2201, -2202, -2203, -27272, -24})
"""Results that tell a business system to go on with the issuer's security machine."""


def driver_error(sw: int) -> int:
    """Return the driver's result for a status word: `6A82` gives -27266."""
    return -sw
