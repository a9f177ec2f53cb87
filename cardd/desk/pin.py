"""The holder's PIN. It is one per environment, and every wrong one costs a try: nothing here is ever done twice."""

from cardd.base.secret import Secret
from cardd.desk.pin_block import pin_block
from cardd.desk.reading import Identity
from cardd.desk.refusals import refusals
from cardd.desk.social import reopen
from cardd.iso7816.channel import Channel
from cardd.readers.insertion import Insertion


def verify_pin(channel: Channel, insertion: Insertion, expected: Identity, pin: Secret) -> None:
    """Compare the PIN (ASCII digits) on the card that was read before (LD/T 32.5, VERIFY).

    Raises CarddError: PIN_LENGTH before the card is touched; CARD_DATA_DIFFERS; PIN_WRONG with `tries_left`;
    PIN_LOCKED. After a CARD_REMOVED it is not known whether the try counted: `query_pin` tells.
    """
    block = pin_block(pin)
    with refusals():
        reopen(channel, insertion, expected).environment.verify(block)


def query_pin(channel: Channel, insertion: Insertion, expected: Identity) -> int | None:
    """Return how many tries are left, which costs none: 0 where the PIN is locked, None where none is set.

    Raises CarddError(CARD_DATA_DIFFERS).
    """
    with refusals():
        return reopen(channel, insertion, expected).environment.pin_tries()
