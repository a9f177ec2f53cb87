"""The reader's own keypad: the holder types, the reader fills the PIN into the command (PC/SC part 10).

No program on this machine sees the digits. A keypad cannot change a command's length, so only PINs of a length that is
known beforehand are typed there.
"""

import struct
from collections.abc import Callable, Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.desk.intending import at_once
from cardd.desk.pin_block import MAXIMUM, MINIMUM
from cardd.desk.reading import Identity
from cardd.desk.refusals import refusals
from cardd.desk.social import reopen
from cardd.iso7816.apdu import Command
from cardd.iso7816.channel import Channel
from cardd.iso7816.status import StatusError
from cardd.readers.insertion import Insertion


class Feature(IntEnum):
    """What readers can do, by the tags of their answer to GET_FEATURE_REQUEST (PC/SC part 10, 2.2)."""

    VERIFY_PIN_DIRECT = 0x06
    MODIFY_PIN_DIRECT = 0x07


GET_FEATURE_REQUEST: Final = 0x42000000 + 3400
"""SCARD_CTL_CODE(3400) as pcsc-lite numbers it."""

_FEATURE: Final = struct.Struct(">BBI")
_FIXED: Final = struct.Struct("<BBBBBHBBHB3sI")
_MODIFY: Final = struct.Struct("<BBBBBBBHBBBHBBB3sI")

_BCD: Final = 0x81
"""bmFormatString: the PIN stands at the beginning of the data, counted in bytes, left justified, in BCD."""
_NO_LENGTH: Final = 0x00
_WHEN_COMPLETE: Final = 0x02 | 0x01
"""bEntryValidationCondition: the OK key, or the last digit."""
_OLD_AND_CONFIRM: Final = 0x03
"""bConfirmPIN: the old PIN is typed first, the new one twice."""
_DEFAULT_TEXTS: Final = 0xFF
_CHINESE: Final = 0x0804
_NO_PROLOGUE: Final = bytes(3)
_SEPARATOR: Final = b"\xff"
_EMPTY_DIGITS: Final = b"\xff"

_KEYPAD: Final[Mapping[int, Reason]] = MappingProxyType(
    {
        0x6400: Reason.PIN_TIMEOUT,
        0x6401: Reason.PIN_CANCELLED,
        0x6402: Reason.PIN_MISMATCH,
        0x6403: Reason.PIN_LENGTH,
    }
)
"""What the keypad itself answers in the card's place (PC/SC part 10, 2.5.2 and 2.5.3)."""


def features(channel: Channel) -> Mapping[int, int]:
    """Return what the reader can do, with the code that each is asked by; nothing where it cannot say.

    Raises CarddError for a reader or a service that has gone.
    """
    try:
        answer = channel.control(GET_FEATURE_REQUEST)
    except CarddError as error:
        if error.reason in {Reason.PCSC_UNAVAILABLE, Reason.PCSC_DENIED, Reason.TIMEOUT, Reason.STALE_INSERTION}:
            raise
        return {}
    whole = len(answer) - len(answer) % _FEATURE.size
    return {tag: code for tag, length, code in _FEATURE.iter_unpack(answer[:whole]) if length == 4}  # noqa: PLR2004


def verify_at_keypad(
    channel: Channel,
    insertion: Insertion,
    expected: Identity,
    digits: int,
    *,
    intend: Callable[[], None] = at_once,
) -> None:
    """Have the holder type the PIN, of so many digits, at the reader, and compare it on the card (LD/T 32.5, VERIFY).

    Raises CarddError: PIN_LENGTH for a length that no PIN has; NOT_FOUND for a reader without such a keypad;
    CARD_DATA_DIFFERS; PIN_TIMEOUT, PIN_CANCELLED; PIN_WRONG with `tries_left`, PIN_LOCKED.
    """
    structure = verify_structure(digits, insertion.keypad_s)
    with refusals():
        reopen(channel, insertion, expected)
        _have_typed(channel, Feature.VERIFY_PIN_DIRECT, structure, _verify(digits), intend)


def change_at_keypad(
    channel: Channel,
    insertion: Insertion,
    expected: Identity,
    digits: int,
    *,
    intend: Callable[[], None] = at_once,
) -> None:
    """Have the holder type the old PIN, and the new one twice, of so many digits, at the reader (CHANGE PIN).

    Raises CarddError as `verify_at_keypad` does; PIN_MISMATCH.
    """
    structure = modify_structure(digits, insertion.keypad_s)
    with refusals():
        reopen(channel, insertion, expected)
        _have_typed(channel, Feature.MODIFY_PIN_DIRECT, structure, _change(digits), intend)


def verify_structure(digits: int, key_s: int) -> bytes:
    """Return PIN_VERIFY for a PIN of so many digits, waited `key_s` seconds a key. Raises CarddError(PIN_LENGTH)."""
    apdu = _verify(_possible(digits)).encode()
    return (
        _FIXED.pack(
            key_s,
            key_s,
            _BCD,
            _bytes(digits),
            _NO_LENGTH,
            digits << 8 | digits,
            _WHEN_COMPLETE,
            _DEFAULT_TEXTS,
            _CHINESE,
            0,
            _NO_PROLOGUE,
            len(apdu),
        )
        + apdu
    )


def modify_structure(digits: int, key_s: int) -> bytes:
    """Return PIN_MODIFY for two PINs of so many digits, waited `key_s` seconds a key. Raises CarddError(PIN_LENGTH)."""
    apdu = _change(_possible(digits)).encode()
    return (
        _MODIFY.pack(
            key_s,
            key_s,
            _BCD,
            _bytes(digits),
            _NO_LENGTH,
            0,
            _bytes(digits) + len(_SEPARATOR),
            digits << 8 | digits,
            _OLD_AND_CONFIRM,
            _WHEN_COMPLETE,
            3,
            _CHINESE,
            0,
            1,
            2,
            _NO_PROLOGUE,
            len(apdu),
        )
        + apdu
    )


def _have_typed(
    channel: Channel, feature: Feature, structure: bytes, command: Command, intend: Callable[[], None]
) -> None:
    code = features(channel).get(feature)
    if code is None:
        raise CarddError(Reason.NOT_FOUND, f"the reader has no keypad that can do {feature.name}")
    intend()
    response = channel.by_keypad(code, structure)
    if response.ok:
        return
    reason = _KEYPAD.get(response.sw)
    if reason is not None:
        raise CarddError(reason, "at the reader's keypad")
    raise StatusError(response.sw, command)


def _verify(digits: int) -> Command:
    return Command(0x00, 0x20, 0x00, 0x00, _EMPTY_DIGITS * _bytes(digits))


def _change(digits: int) -> Command:
    empty = _EMPTY_DIGITS * _bytes(digits)
    return Command(0x80, 0x5E, 0x01, 0x00, empty + _SEPARATOR + empty)


def _bytes(digits: int) -> int:
    return (digits + 1) // 2


def _possible(digits: int) -> int:
    if not MINIMUM <= digits <= MAXIMUM:
        raise CarddError(Reason.PIN_LENGTH, f"a PIN has {MINIMUM} to {MAXIMUM} digits")
    return digits
