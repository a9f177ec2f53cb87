"""The card's status words, and the exception that a command handler ends with when it refuses."""

from enum import IntEnum
from typing import Final


class Status(IntEnum):
    """What the card's rule can answer, apart from the words that carry a number (61xx, 63Cx, 6Cxx)."""

    DONE = 0x9000
    MEMORY_FAILURE = 0x6581
    WRONG_LENGTH = 0x6700
    WRONG_STATE = 0x6901
    WRONG_STRUCTURE = 0x6981
    NO_RIGHT = 0x6982
    LOCKED = 0x6983
    NO_CHALLENGE = 0x6984
    CONDITIONS = 0x6985
    NO_CURRENT_FILE = 0x6986
    MAC_MISSING = 0x6987
    WRONG_MAC = 0x6988
    WRONG_DATA = 0x6A80
    CARD_BLOCKED = 0x6A81
    FILE_ABSENT = 0x6A82
    RECORD_ABSENT = 0x6A83
    NO_SPACE = 0x6A84
    WRONG_TLV = 0x6A85
    WRONG_PARAMETERS = 0x6A86
    KEY_ABSENT = 0x6A88
    WRONG_OFFSET = 0x6B00
    UNKNOWN_INSTRUCTION = 0x6D00
    UNKNOWN_CLASS = 0x6E00
    NOTHING_WAITING = 0x6F00
    WRONG_MONEY_MAC = 0x9302
    APPLICATION_BLOCKED = 0x9303
    BALANCE_TOO_SMALL = 0x9401
    COUNTER_AT_MAXIMUM = 0x9402
    KEY_INDEX_UNKNOWN = 0x9403
    NO_PROOF = 0x9406


WAITING: Final = 0x6100
"""61xx: done, xx bytes wait for GET RESPONSE (00: 256)."""

TRIES_LEFT: Final = 0x63C0
"""63Cx: wrong, x tries are left."""

RIGHT_LENGTH: Final = 0x6C00
"""6Cxx: wrong Le, xx is right (00: 256)."""

_LOW_BYTE: Final = 0xFF
_MOST_TRIES: Final = 15


class Refusal(Exception):  # noqa: N818 # a refusal is a card's normal answer
    """The command ends here with a status word; `clause` says for people which rule decided it."""

    def __init__(self, status: int, clause: str) -> None:
        super().__init__(status, clause)
        self.status = status
        self.clause = clause

    def __str__(self) -> str:
        return f"{self.status:04X}: {self.clause}"


def tries_left(count: int, clause: str) -> Refusal:
    """Make the refusal 63Cx."""
    return Refusal(TRIES_LEFT | min(count, _MOST_TRIES), clause)


def right_length(length: int, clause: str) -> Refusal:
    """Make the refusal 6Cxx; `length` is 1 to 256 bytes."""
    return Refusal(RIGHT_LENGTH | length & _LOW_BYTE, clause)


def waiting(length: int) -> int:
    """Return 61xx for 1 to 256 waiting bytes."""
    return WAITING | length & _LOW_BYTE


def is_progress(status: int) -> bool:
    """Say whether a status word is no refusal: done, more is waiting, or only Le is to be corrected."""
    return status == Status.DONE or status & ~_LOW_BYTE in {WAITING, RIGHT_LENGTH}
