"""The bank application beside the social one (JR/T 0025): the number of the account card, and nothing else of it.

Only records that anybody may read: GET PROCESSING OPTIONS would begin a payment and count it.
"""

import re
from collections.abc import Iterator
from typing import Final

from cardd.iso7816 import tlv
from cardd.iso7816.apdu import Command
from cardd.iso7816.channel import Channel
from cardd.rules.names import PBOC_DEBIT

NUMBER: Final = 0x5A
TRACK_2: Final = 0x57
"""Track 2 equivalent data: the number, D, and what is nobody's business here."""

_TEMPLATE: Final = 0x70
_FILES: Final = (1, 2, 3)
_RECORDS: Final = (1, 2, 3)
_BY_NUMBER: Final = 4
_WHOLE: Final = 256
_DIGITS: Final = re.compile(r"[0-9]{8,19}", re.ASCII)
_TRACK_END: Final = "D"


def read_number(channel: Channel) -> str | None:
    """Select the debit application by its identifier and return the card number; None where there is none.

    A number has 8 to 19 digits. The social environment is no longer selected afterwards.
    """
    if not channel.send(Command(0x00, 0xA4, 0x04, 0x00, PBOC_DEBIT, _WHOLE)).ok:
        return None
    numbers = (number_in(record) for record in _records(channel))
    return next((number for number in numbers if number is not None), None)


def number_in(record: bytes) -> str | None:
    """Return the number that a record of the application holds under tag 5A, else in the track data under 57."""
    for tag in (NUMBER, TRACK_2):
        try:
            value = tlv.find(record, _TEMPLATE, tag)
        except tlv.TlvError:
            return None
        text = "" if value is None else value.hex().upper().split(_TRACK_END, 1)[0].rstrip("F")
        if _DIGITS.fullmatch(text):
            return text
    return None


def _records(channel: Channel) -> Iterator[bytes]:
    for file in _FILES:
        for number in _RECORDS:
            response = channel.send(Command(0x00, 0xB2, number, file << 3 | _BY_NUMBER, le=_WHOLE))
            if not response.ok:
                break
            yield response.data
