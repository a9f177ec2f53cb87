"""The holder's PIN. It is one per environment, and every wrong one costs a try: nothing here is ever done twice.

`intend` is called right before the first command that counts or changes anything; what it raises keeps that unsent.
"""

from collections.abc import Callable
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.desk.intending import at_once
from cardd.desk.pin_block import pin_block
from cardd.desk.reading import Identity
from cardd.desk.refusals import refusals
from cardd.desk.social import Maintenance, maintain, reopen, reopen_genuine
from cardd.desk.stopped import StoppedKeys
from cardd.iso7816.channel import Channel
from cardd.keys.service import KeyService
from cardd.readers.insertion import Insertion
from cardd.rules.keys import KeyName

_NO_PIN: Final = Secret(b"")
_UNBLOCK: Final = Maintenance(bytes.fromhex("84240000"), KeyName.PUK, KeyName.STKSSSE)
_RELOAD: Final = Maintenance(bytes.fromhex("84240001"), KeyName.PUK, KeyName.STKSSSE)


def verify_pin(
    channel: Channel,
    insertion: Insertion,
    expected: Identity,
    pin: Secret,
    *,
    intend: Callable[[], None] = at_once,
) -> None:
    """Compare the PIN (ASCII digits) on the card that was read before (LD/T 32.5, VERIFY).

    Raises CarddError: PIN_LENGTH before the card is touched; CARD_DATA_DIFFERS; PIN_WRONG with `tries_left`;
    PIN_LOCKED. After a CARD_REMOVED it is not known whether the try counted: `query_pin` tells.
    """
    block = pin_block(pin)
    with refusals():
        environment = reopen(channel, insertion, expected).environment
        intend()
        environment.verify(block)


def query_pin(channel: Channel, insertion: Insertion, expected: Identity) -> int | None:
    """Return how many tries are left, which costs none: 0 where the PIN is locked, None where none is set.

    Raises CarddError(CARD_DATA_DIFFERS).
    """
    with refusals():
        return reopen(channel, insertion, expected).environment.pin_tries()


def change_pin(
    channel: Channel,
    insertion: Insertion,
    expected: Identity,
    old: Secret | None,
    new: Secret,
    *,
    intend: Callable[[], None] = at_once,
) -> None:
    """Set a new PIN with the old one, which is None where the card has none yet (LD/T 32.5, CHANGE PIN).

    Raises CarddError: PIN_LENGTH before the card is touched; CARD_DATA_DIFFERS; PIN_WRONG with `tries_left`, PIN_LOCKED
    for the old one. After a CARD_REMOVED it is not known which PIN the card has, nor whether a try counted: whoever
    holds it types the new one again, once, if two tries or more are left.
    """
    old_block, new_block = _NO_PIN if old is None else pin_block(old), pin_block(new)
    with refusals():
        environment = reopen(channel, insertion, expected).environment
        intend()
        environment.change_pin(old_block, new_block)


def reload_pin(
    channel: Channel,
    insertion: Insertion,
    keys: KeyService | None,
    expected: Identity,
    new: Secret,
    deadline: float,
    *,
    stopped: StoppedKeys,
    intend: Callable[[], None] = at_once,
) -> None:
    """Set a new PIN with the issuer's right and give all tries back (LD/T 32.5, PIN CHANGE/UNBLOCK).

    The PIN travels enciphered and is never seen outside card and key service. Doing it again comes to the same.

    Raises CarddError: PIN_LENGTH and CARD_NOT_GENUINE, before the card is touched if that is known; CARD_DATA_DIFFERS;
    KEY_STOPPED; reasons of the key service; STATUS_WORD, 6988 where the card does not take the MAC.
    """
    block = pin_block(new)
    with refusals():
        card = reopen_genuine(channel, insertion, keys, expected, deadline)
        intend()
        maintain(card, keys, stopped, _RELOAD, deadline, block)


def unblock_pin(
    channel: Channel,
    insertion: Insertion,
    keys: KeyService | None,
    expected: Identity,
    deadline: float,
    *,
    stopped: StoppedKeys,
    intend: Callable[[], None] = at_once,
) -> int:
    """Give all tries back with the issuer's right, the PIN staying as it is, and return how many there are now.

    Raises CarddError as `reload_pin` does; RECORD_ABSENT where the card has no PIN.
    """
    with refusals():
        card = reopen_genuine(channel, insertion, keys, expected, deadline)
        intend()
        maintain(card, keys, stopped, _UNBLOCK, deadline)
        tries = card.environment.pin_tries()
    if tries is None:
        raise CarddError(Reason.RECORD_ABSENT, "the card has no PIN")
    return tries
