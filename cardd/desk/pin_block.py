"""The holder's PIN as the card takes it."""

from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret

MINIMUM: Final = 4
MAXIMUM: Final = 16


def pin_block(pin: Secret) -> Secret:
    """Pack 4 to 16 digits two to a byte, an odd last one beside F (LD/T 32.5, cn). Raises CarddError(PIN_LENGTH)."""
    digits = pin.reveal()
    if not (MINIMUM <= len(digits) <= MAXIMUM and digits.isdigit()):
        raise CarddError(Reason.PIN_LENGTH, f"a PIN has {MINIMUM} to {MAXIMUM} digits")
    return Secret(bytes.fromhex((digits + b"F" * (len(digits) % 2)).decode("ascii")))
