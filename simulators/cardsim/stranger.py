"""Another person in a holder's place, invented, of the same lengths in bytes."""

from collections.abc import Callable
from itertools import count, cycle, islice
from typing import Final

from msgspec.structs import replace

from cardsim.persona import (
    AnyPersona,
    Holder,
    MedicalInsurancePersona,
    MemoryPersona,
    Persona,
    PsamPersona,
    SocialSecurityPersona,
)

_SYLLABLES: Final = "虚构某样本"
_WIDE: Final = 2
_CITIZEN: Final = 18
_REGION_AND_BIRTH: Final = "99000019000101"
_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS: Final = "10X98765432"


def name(length: int, number: int = 0) -> str:
    """Return a name of so many bytes in GBK; others for other numbers, as far as the length allows."""
    wide, narrow = divmod(length, _WIDE)
    return "".join(islice(cycle(_SYLLABLES), number, number + wide)) + "QZ"[number % 2] * narrow


def citizen_number(length: int, number: int = 0) -> str:
    """Return a citizen's number of a region that is none, with its check digit; of another length, just digits."""
    digits = f"{_REGION_AND_BIRTH}{(number + 1) % 1000:03d}"
    return digits + citizen_check(digits) if length == _CITIZEN else card_number(length, number)


def citizen_check(digits: str) -> str:
    """Return the check character of a citizen number's first 17 digits (GB 11643)."""
    total = sum(int(digit) * weight for digit, weight in zip(digits, _WEIGHTS, strict=True))
    return _CHECKS[total % len(_CHECKS)]


def card_number(length: int, number: int = 0) -> str:
    """Return so many digits; others for other numbers."""
    return f"{number + 1:d}".rjust(length, "9")[-length:] if length else ""


def stranger(persona: Persona) -> Persona:
    """Return the same card with another holder: every byte that does not tell a person stays, also the ATR.

    Of a security module, which has no holder, the terminal's number is another one.
    """
    return replace(persona, card=replace(_another(persona.card), faults=()))


def _another(card: AnyPersona) -> AnyPersona:
    match card:
        case SocialSecurityPersona():
            return replace(card, holder=_holder(card.holder), card_number=_number(card.card_number))
        case MedicalInsurancePersona():
            return replace(card, number=_number(card.number))
        case MemoryPersona():
            return replace(
                card,
                number=_number(card.number),
                name=card.name and _name(card.name),
                identity_number=card.identity_number and _citizen(card.identity_number),
            )
        case PsamPersona():
            return replace(card, terminal_number=_number(card.terminal_number))


def _holder(holder: Holder) -> Holder:
    return replace(holder, name=_name(holder.name), social_security_number=_citizen(holder.social_security_number))


def _name(text: str) -> str:
    return _first_other(text, name, len(text.encode("gb18030")))


def _citizen(text: str) -> str:
    return _first_other(text, citizen_number, len(text))


def _number(text: str) -> str:
    return _first_other(text, card_number, len(text))


def _first_other(text: str, make: Callable[[int, int], str], length: int) -> str:
    """Return an invention that is not the text itself; nothing in the place of nothing."""
    return next(other for number in count() if (other := make(length, number)) != text) if text else text
