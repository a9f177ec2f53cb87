"""Status words of ISO 7816-4 and of the social security card (LD/T 32.5, table 5)."""

from enum import IntEnum
from types import MappingProxyType
from typing import Final

from cardd.iso7816.apdu import Command


class SW(IntEnum):
    """Status words with a fixed value. 61xx, 63Cx and 6Cxx carry a number: see `describe` and `tries_left`."""

    OK = 0x9000
    MEMORY_FAILURE = 0x6581
    WRONG_LENGTH = 0x6700
    NOT_ACCEPTABLE_IN_STATE = 0x6901
    WRONG_FILE_STRUCTURE = 0x6981
    SECURITY_STATUS_NOT_SATISFIED = 0x6982
    AUTHENTICATION_LOCKED = 0x6983
    REFERENCED_DATA_INVALID = 0x6984
    CONDITIONS_NOT_SATISFIED = 0x6985
    NO_CURRENT_FILE = 0x6986
    MAC_MISSING = 0x6987
    MAC_WRONG = 0x6988
    WRONG_DATA = 0x6A80
    FUNCTION_NOT_SUPPORTED = 0x6A81
    FILE_NOT_FOUND = 0x6A82
    RECORD_NOT_FOUND = 0x6A83
    NO_SPACE = 0x6A84
    LENGTH_DIFFERS_FROM_TLV = 0x6A85
    WRONG_P1_P2 = 0x6A86
    REFERENCED_DATA_NOT_FOUND = 0x6A88
    OFFSET_OUTSIDE_FILE = 0x6B00
    INS_UNKNOWN = 0x6D00
    CLA_UNKNOWN = 0x6E00
    DATA_INVALID = 0x6F00
    MONEY_MAC_INVALID = 0x9302
    APPLICATION_BLOCKED = 0x9303
    BALANCE_TOO_SMALL = 0x9401
    COUNTER_AT_MAXIMUM = 0x9402
    KEY_INDEX_UNKNOWN = 0x9403
    PROOF_NOT_AVAILABLE = 0x9406


_TEXTS: Final = MappingProxyType(
    {
        SW.OK: "done",
        SW.MEMORY_FAILURE: "memory failure",
        SW.WRONG_LENGTH: "wrong Lc or Le",
        SW.NOT_ACCEPTABLE_IN_STATE: "command not acceptable in this state",
        SW.WRONG_FILE_STRUCTURE: "command does not fit the file structure",
        SW.SECURITY_STATUS_NOT_SATISFIED: "security status not satisfied",
        SW.AUTHENTICATION_LOCKED: "PIN or key locked",
        SW.REFERENCED_DATA_INVALID: "referenced data invalid: no challenge",
        SW.CONDITIONS_NOT_SATISFIED: "conditions of use not satisfied",
        SW.NO_CURRENT_FILE: "no current file",
        SW.MAC_MISSING: "MAC missing",
        SW.MAC_WRONG: "MAC or secure messaging data wrong",
        SW.WRONG_DATA: "data field wrong",
        SW.FUNCTION_NOT_SUPPORTED: "function not supported, or card blocked",
        SW.FILE_NOT_FOUND: "file or application not found",
        SW.RECORD_NOT_FOUND: "record not found",
        SW.NO_SPACE: "no space in the file",
        SW.LENGTH_DIFFERS_FROM_TLV: "Lc does not match the record",
        SW.WRONG_P1_P2: "P1 or P2 wrong",
        SW.REFERENCED_DATA_NOT_FOUND: "referenced data or key not found",
        SW.OFFSET_OUTSIDE_FILE: "offset outside the file",
        SW.INS_UNKNOWN: "instruction unknown",
        SW.CLA_UNKNOWN: "class unknown",
        SW.DATA_INVALID: "data invalid",
        SW.MONEY_MAC_INVALID: "MAC of the transaction invalid",
        SW.APPLICATION_BLOCKED: "application permanently blocked",
        SW.BALANCE_TOO_SMALL: "balance too small",
        SW.COUNTER_AT_MAXIMUM: "transaction counter at its maximum",
        SW.KEY_INDEX_UNKNOWN: "key index unknown",
        SW.PROOF_NOT_AVAILABLE: "transaction proof not available",
    }
)

_TRIES: Final = 0x63C0
_SW1: Final = 0xFF00
_MORE: Final = 0x6100
_WRONG_LE: Final = 0x6C00
_COUNT: Final = 0x0F


def more_data(sw: int) -> int | None:
    """Return how many bytes wait (1 to 256) behind a 61xx, None for any other status word."""
    return (sw & 0xFF or 256) if sw & _SW1 == _MORE else None


def right_le(sw: int) -> int | None:
    """Return the Le (1 to 256) that a 6Cxx asks for, None for any other status word."""
    return (sw & 0xFF or 256) if sw & _SW1 == _WRONG_LE else None


def tries_left(sw: int) -> int | None:
    """Return the tries left that a 63Cx tells (0 to 15), None for any other status word."""
    return sw & _COUNT if sw & ~_COUNT == _TRIES else None


def describe(sw: int) -> str:
    """Name a status word for logs and operators: `6982 security status not satisfied`. Unknown ones are named so."""
    return f"{sw:04X} {_meaning(sw)}"


def _meaning(sw: int) -> str:
    if (waiting := more_data(sw)) is not None:
        return f"done, {waiting} bytes waiting"
    if (le := right_le(sw)) is not None:
        return f"wrong Le, {le} is right"
    if (tries := tries_left(sw)) is not None:
        return f"authentication failed, {tries} tries left"
    return _TEXTS[SW(sw)] if sw in _TEXTS else "unknown status word"


class StatusError(Exception):
    """A card refused a command: the bare status word and the command, whose data are never shown."""

    def __init__(self, sw: int, command: Command) -> None:
        super().__init__(f"{describe(sw)} to {command!r}")
        self.sw = sw
        self.command = command

    def __repr__(self) -> str:
        return f"<StatusError {self}>"
