"""VERIFY, CHANGE PIN, PIN CHANGE/UNBLOCK (LD/T 32.5)."""

import hmac
from typing import Final

from cardd.crypto.block import block_size
from cardd.crypto.messaging import decipher
from cardsim.card.command import Command, Direction
from cardsim.card.filesystem import Access, needs
from cardsim.card.keyring import Pin, set_tries
from cardsim.card.machine import Machine, Reply
from cardsim.card.messaging import (
    MAC,
    STK_GLOBAL,
    check_mac,
    maintenance_key,
    maintenance_session,
    require_order,
)
from cardsim.card.status import Refusal, Status, tries_left
from cardsim.card.system import Row, exactly

_SEPARATOR: Final = b"\xff"
_PIN_BYTES: Final = range(2, 9)
_PIN_DIGITS: Final = range(4, 17)
_UNBLOCK: Final = 0
_PUK: Final[Access] = needs("PUK")


def is_pin(value: bytes) -> bool:
    """Say whether bytes are 4 to 16 packed digits, an odd last nibble filled with F; or no PIN at all."""
    digits = value.hex().removesuffix("f")
    return not value or (digits.isdecimal() and len(digits) in _PIN_DIGITS and len(value) in _PIN_BYTES)


def verify(machine: Machine, command: Command) -> Reply:
    """Compare the PIN; without data tell only whether one is set and how many tries are left."""
    pin = machine.pin()
    if not command.data:
        if not pin.value:
            return Reply(clause="LD/T 32.5 VERIFY: no PIN is set")
        raise tries_left(pin.tries, "LD/T 32.5 VERIFY: a PIN is set, nothing was compared")
    _compare(machine, pin, command.data, may_be_empty=False)
    machine.memory.write(1, pin.reset)
    machine.session.pin_verified = True
    return Reply()


def change_pin(machine: Machine, command: Command) -> Reply:
    """Set a new PIN with the old one: old, FF, new; either may be empty. It gives no right."""
    old, separator, new = command.data.partition(_SEPARATOR)
    if not separator or not is_pin(old) or not is_pin(new):
        raise Refusal(Status.WRONG_DATA, "LD/T 32.5 CHANGE PIN: the data is not old PIN, FF, new PIN")
    pin = machine.pin()
    _compare(machine, pin, old, may_be_empty=True)
    _set(machine, pin, new)
    return Reply()


def _compare(machine: Machine, pin: Pin, value: bytes, *, may_be_empty: bool) -> None:
    if pin.locked:
        raise Refusal(Status.LOCKED, "LD/T 32.5: the PIN has no tries left")
    # one try is gone before the comparison, so that cutting the power gains none
    machine.memory.write(1, lambda: set_tries(pin, pin.tries - 1))
    if not hmac.compare_digest(value, pin.value) or not (pin.value or may_be_empty):
        machine.session.pin_verified = False
        raise tries_left(pin.tries, "LD/T 32.5: this is not the PIN")


def _set(machine: Machine, pin: Pin, value: bytes) -> None:
    def change() -> None:
        pin.value = value
        pin.reset()

    machine.memory.write(len(value) + 1, change)


def change_or_unblock(machine: Machine, command: Command) -> Reply:
    """Give all tries back (P2 00: MAC) or set a new PIN too (P2 01: cipher, MAC), after the terminal proved the PUK."""
    if len(command.data) not in _lengths(machine, command.p2):
        raise Refusal(Status.WRONG_LENGTH, "LD/T 32.5 PIN CHANGE/UNBLOCK: Lc is not that of the blocks and the MAC")
    challenge = machine.take_challenge()
    pin = machine.pin()
    stk = maintenance_key(machine, STK_GLOBAL)
    require_order(machine, challenge)
    machine.require(_PUK)
    session = maintenance_session(machine, stk, challenge)
    check_mac(machine, session, command)
    if len(command.data) == MAC:
        machine.memory.write(1, pin.reset)
    else:
        _set(machine, pin, _deciphered(machine, session, command.data[:-MAC]))
    return Reply()


def _lengths(machine: Machine, p2: int) -> frozenset[int]:
    # an eight-byte cipher needs a second block for more than 14 digits
    reload = frozenset({block_size(machine.algorithm) + MAC, 16 + MAC})
    if p2 != _UNBLOCK:
        return reload
    alone = frozenset({MAC})
    return alone | reload if machine.toggles.reload_by_unblock == "accepted" else alone


def _deciphered(machine: Machine, session: bytes, cipher: bytes) -> bytes:
    try:
        value = decipher(machine.algorithm, session, cipher)
    except ValueError:
        raise Refusal(Status.WRONG_MAC, "LD/T 32.4 8.3: the cipher holds no length and padding") from None
    if not is_pin(value):
        raise Refusal(Status.WRONG_DATA, "LD/T 32.5 PIN CHANGE/UNBLOCK: the new PIN is not 4 to 16 digits")
    return value


ROWS: Final = (
    Row("VERIFY", 0x00, 0x20, Direction.IN, exactly(0, 0), frozenset({0, *_PIN_BYTES}), verify),
    Row("CHANGE PIN", 0x80, 0x5E, Direction.IN, exactly(1, 0), range(3, 18), change_pin),
    Row(
        name="PIN CHANGE/UNBLOCK",
        cla=0x84,
        ins=0x24,
        direction=Direction.IN,
        parameters=lambda p1, p2: p1 == 0 and p2 in {0, 1},
        lengths=range(MAC, 256),
        handler=change_or_unblock,
    ),
)
