"""Which of its numbers each function of the driver can give; the card's other status words come on top, negated."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cardd.rules.driver_errors import driver_error

_CALLED: Final = {-14}
_CARD: Final = {-2, -3, -4, -11} | _CALLED
"""Of functions that begin with a card."""

_SOCIAL: Final = {-1, -20} | _CARD
_GENUINE: Final = {-21} | _SOCIAL
_NAMED: Final = {-22} | _GENUINE
"""Of those that are told which card it must be."""

_TYPED: Final = {-31, -32}
_PIN: Final = {-51, -52} | _TYPED
_MODULE: Final = {-24, -2201, -2202, -27272}
_TRIES: Final = {-25536, -25537, -25538}
_KEY: Final = {-27011} | _TRIES | _MODULE
_ABSENT: Final = {-13, -27266, -27267}
_LATER: Final = {-12, -14, -22}
"""Of later steps."""

_NUMBERS: Final[Mapping[str, set[int]]] = {
    "iReadCardBas": _GENUINE | _KEY | {-41, -2203},
    "iReadCard": _NAMED | _KEY | _PIN | _ABSENT | {-41, -42},
    "iWriteCard": _NAMED | _KEY | _ABSENT | {-23, -27010},
    "iVerifyPIN": _GENUINE | _PIN,
    "iChangePIN": _GENUINE | _PIN,
    "iReloadPIN": _NAMED | _KEY | _TYPED,
    "iUnblockPIN": _NAMED | _KEY,
    "iDoDebit": _NAMED | _MODULE | _PIN | {-27013, -37634, -37889},
    "iReadDebitRecord": _GENUINE | _PIN,
    "iReadCardBas_HSM_Step1": _SOCIAL,
    "iReadCardBas_HSM_Step2": _LATER | _TRIES | {-21, -41},
    "iReadCard_HSM_Step1": _NAMED | _PIN | _ABSENT | {-2204},
    "iReadCard_HSM_Step2": _LATER | _TRIES | {-41},
    "iWriteCard_HSM_Step1": _NAMED | _ABSENT | {-27010},
    "iWriteCard_HSM_Step2": _LATER | _TRIES | {-4, -23, -27010},
    "iReloadPIN_HSM_Step1": _NAMED,
    "iReloadPIN_HSM_Step2": _LATER | _TRIES | _TYPED,
    "iReloadPIN_HSM_Step3": _LATER,
    "iUnblockPIN_HSM_Step1": _NAMED,
    "iUnblockPIN_HSM_Step2": _LATER | _TRIES,
    "iUnblockPIN_HSM_Step3": _LATER,
    "iDoDebit_HSM_Step1": _NAMED | _PIN | {-27013, -37889},
    "iDoDebit_HSM_Step2": _LATER | {-4, -27013, -37634},
    "iReadCardNo": _GENUINE,
    "iReadICCardNum": _CARD | {-27266},
    "iReadBankNumber": _CARD | {-27266},
    "iGetReaderInfo": _CALLED | {-2},
    "PKI_SignData": {-13},
    "PKI_VerifySign": {-13},
}

NUMBERS: Final[Mapping[str, frozenset[int]]] = MappingProxyType(
    {name: frozenset(numbers) for name, numbers in _NUMBERS.items()}
)
"""What each function says of the counter, of the call, of keys and PINs, and the card's words that mean one thing."""

BY_KEYPAD: Final[Mapping[str, frozenset[int]]] = MappingProxyType(
    {"iVerifyPIN": frozenset({-33}), "iChangePIN": frozenset({-33, -34})}
)
"""What a keypad or a helper that takes PINs says besides: a prompt stays open until the digits are in order."""

_UNKNOWN: Final = frozenset({-13})

_OF_A_CARD: Final = frozenset({-4, -22})
"""Who says one of these has asked a card."""

_FIRST_WORD: Final = driver_error(0x6000)


def gives(function: str, number: int) -> bool:
    """Tell whether a function can give that number."""
    known = NUMBERS.get(function, _UNKNOWN) | BY_KEYPAD.get(function, _UNKNOWN)
    return number in known or (number <= _FIRST_WORD and _talks(function))


def _talks(function: str) -> bool:
    """Tell whether a function speaks to a card."""
    return not _OF_A_CARD.isdisjoint(NUMBERS.get(function, _UNKNOWN))
