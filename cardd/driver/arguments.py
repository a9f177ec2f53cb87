"""What goes into the driver's functions: numbers and texts, checked before any card is touched."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Hidden, Struct
from cardd.desk.reading import Via
from cardd.rules.address import FileAddress, parse_address

SEPARATOR: Final = "|"
_MOST_FEN: Final = 0xFFFFFFFF


class Argument(StrEnum):
    """Kinds of arguments, by their names in the notice."""

    TYPE = "iType"
    AUTH_TYPE = "iAuthType"
    CARD_INFO = "pCardInfo"
    FILE_ADDRESS = "pFileAddr"
    WRITE_DATA = "pWriteData"
    PAY_INFO = "pPayInfo"
    KEY = "pKey"


class AuthType(IntEnum):
    """By what a file is to be opened that the PIN and a key open alike."""

    PIN = 1
    KEY = 2


class Order(Struct, frozen=True):
    """Which way the card is spoken to: the first one by which there is a card."""

    ways: tuple[Via, ...]


class CardInfo(Struct, frozen=True):
    """The card that the caller has read before: identification code (32 hexadecimal digits) and card number."""

    identification_code: Hidden[str]
    number: Hidden[str]


class PayInfo(Struct, frozen=True):
    """A bill: the whole of it and what is taken from account and pool, in fen, and its time (YYYYMMDDHHMMSS)."""

    total: Hidden[int]
    settled: Hidden[int]
    time: str


Values = tuple[object, ...]

_CONTACT, _ANTENNA = Via.CONTACT, Via.CONTACTLESS
_ORDERS: Final[Mapping[int, Order]] = MappingProxyType(
    {
        1: Order((_CONTACT,)),
        2: Order((_ANTENNA,)),
        3: Order((_CONTACT, _ANTENNA)),
        4: Order((_ANTENNA, _CONTACT)),
    }
)
ANY_WAY: Final = _ORDERS[3]
"""How a card is found by functions that are not told: on its contacts first."""

_CODE: Final = re.compile(r"[0-9A-F]{32}", re.ASCII)
_YUAN: Final = re.compile(r"([0-9]{1,8})\.([0-9]{2})", re.ASCII)
_TIME: Final = re.compile(r"[0-9]{14}", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,3}", re.ASCII)


def read_arguments(kinds: Sequence[Argument] | None, given: Sequence[int | str]) -> Values:
    """Read what a function was given. Raises CarddError(INVALID) that names the argument, never what it says."""
    if kinds is None:
        return ()
    if len(given) != len(kinds):
        wanted = ", ".join(kinds) or "nothing"
        raise CarddError(Reason.INVALID, f"{len(given)} arguments, the function takes {wanted}", path="$.args")
    return tuple(_READ[kind](kind, value) for kind, value in zip(kinds, given, strict=True))


def _order(kind: Argument, value: int | str) -> Order:
    order = _ORDERS.get(_number(kind, value))
    if order is None:
        raise _wrong(kind, "is 1 (contact), 2 (contactless), 3 or 4 (either, contact or contactless first)")
    return order


def _auth_type(kind: Argument, value: int | str) -> AuthType:
    number = _number(kind, value)
    if number not in set(AuthType):
        raise _wrong(kind, "is 1 (PIN) or 2 (key)")
    return AuthType(number)


def _number(kind: Argument, value: int | str) -> int:
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            raise _wrong(kind, "is a number")
        return int(value)
    return value


def _text(kind: Argument, value: int | str) -> str:
    if not isinstance(value, str):
        raise _wrong(kind, "is a text")
    return value


def _card_info(kind: Argument, value: int | str) -> CardInfo:
    items = _items(_text(kind, value))
    if len(items) != len(CardInfo.__struct_fields__) or not _CODE.fullmatch(items[0].upper()):
        raise _wrong(kind, "is the card's identification code and its number, each with | behind it")
    return CardInfo(items[0].upper(), items[1].strip())


def _file_address(kind: Argument, value: int | str) -> tuple[FileAddress, ...]:
    return parse_address(_text(kind, value))


def _pay_info(kind: Argument, value: int | str) -> PayInfo:
    items = _items(_text(kind, value))
    if len(items) != len(PayInfo.__struct_fields__) or not _is_time(items[2]):
        raise _wrong(kind, "is two amounts in yuan with two decimals and a time YYYYMMDDHHMMSS, each with | behind it")
    return PayInfo(_fen(kind, items[0]), _fen(kind, items[1]), items[2])


def _is_time(text: str) -> bool:
    """Tell whether it is one of the calendar's: the card would take any digits, and count its year by them."""
    if not _TIME.fullmatch(text):
        return False
    try:
        datetime.strptime(text, "%Y%m%d%H%M%S")  # noqa: DTZ007 - the counter's own, told to the card as it is
    except ValueError:
        return False
    return True


def _fen(kind: Argument, text: str) -> int:
    match = _YUAN.fullmatch(text)
    fen = -1 if match is None else int(match[1] + match[2])
    if not 0 <= fen < _MOST_FEN:
        raise _wrong(kind, "has an amount that is no yuan with two decimals below 42949672.95")
    return fen


def _key(kind: Argument, value: int | str) -> str:
    """Return what a machine has answered, without the end of the line that many send it with."""
    return _text(kind, value).strip()


def _items(text: str) -> list[str]:
    return text.strip().removesuffix(SEPARATOR).split(SEPARATOR)


def _wrong(kind: Argument, said: str) -> CarddError:
    return CarddError(Reason.INVALID, f"{kind} {said}", path="$.args")


_READ: Final[Mapping[Argument, Callable[[Argument, int | str], object]]] = MappingProxyType(
    {
        Argument.TYPE: _order,
        Argument.AUTH_TYPE: _auth_type,
        Argument.CARD_INFO: _card_info,
        Argument.FILE_ADDRESS: _file_address,
        Argument.WRITE_DATA: _text,
        Argument.PAY_INFO: _pay_info,
        Argument.KEY: _key,
    }
)
