"""Numbers that name cards and people, and their check characters (LD/T 32.6 8.1 and annex A, GB 11643)."""

from datetime import date
from typing import Final, Self

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Struct

APPLICATION_ID: Final = bytes.fromhex("D156000005")
_CODE: Final = 16
_CARD_NUMBER: Final = 8
_CARD_WEIGHTS: Final = (3, 7, 9, 10, 5, 8, 4, 2)
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CARD_CHECKS: Final = "0123456789X0"
_CITIZEN_NUMBER: Final = 18
_CITIZEN_CHECKS: Final = "10X98765432"


class IdentificationCode(Struct, frozen=True):
    """The card identification code.

    `region` is the application city's six digits, `serial` 4 bytes, `authentication` 4 bytes whose computation is not
    public: never verified.
    """

    region: str
    application_id: bytes
    serial: bytes
    authentication: bytes

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read the 16 bytes of EF05 tag 01.

        Raises CarddError(CARD_ID_MALFORMED) for another length, a region that is no six digits or an application id
        that is not D156000005.
        """
        if len(raw) != _CODE:
            raise CarddError(Reason.CARD_ID_MALFORMED, f"{len(raw)} bytes, not {_CODE}")
        region = raw[:3].hex()
        if not region.isdigit():
            raise CarddError(Reason.CARD_ID_MALFORMED, "its region is not six digits")
        if raw[3:8] != APPLICATION_ID:
            raise CarddError(Reason.CARD_ID_MALFORMED, f"its application id is not {APPLICATION_ID.hex().upper()}")
        return cls(region, raw[3:8], raw[8:12], raw[12:])

    def encode(self) -> bytes:
        """Return the 16 bytes."""
        return bytes.fromhex(self.region) + self.application_id + self.serial + self.authentication

    @property
    def text(self) -> str:
        """Return the 32 hexadecimal digits that clients see."""
        return self.encode().hex().upper()


def card_number_check(eight: str) -> str:
    """Return the check character of a card number's eight characters (digits and upper-case letters).

    Cards in the field break the rule: a generator obeys it, a reader never rejects on it. Raises ValueError.
    """
    if len(eight) != _CARD_NUMBER or any(character not in _ALPHABET for character in eight):
        raise ValueError("eight digits or upper-case letters are needed")
    total = sum(weight * _ALPHABET.index(character) for weight, character in zip(_CARD_WEIGHTS, eight, strict=True))
    return _CARD_CHECKS[11 - total % 11]


def citizen_number_ok(number: str) -> bool:
    """Tell whether 18 characters are a citizen number: a day of the calendar, and the check of ISO 7064 mod 11-2.

    The region is not judged, so residence permits (81, 82, 83) and dissolved counties pass.
    """
    digits = number[:-1]
    if len(number) != _CITIZEN_NUMBER or not (digits.isascii() and digits.isdigit()):
        return False
    try:
        date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    total = sum(int(digit) * pow(2, _CITIZEN_NUMBER - 1 - at, 11) for at, digit in enumerate(digits))
    return number[-1] == _CITIZEN_CHECKS[total % 11]
