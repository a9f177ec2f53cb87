"""What a status word means, by the command that it answers: the only place where one becomes a Reason.

The same word says different things to different commands: 63Cx is a wrong PIN to VERIFY and a refused key to EXTERNAL
AUTHENTICATION. A pair that the table does not hold is STATUS_WORD, with the word for whoever knows more.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.iso7816.status import SW, StatusError, describe, tries_left


class Instruction(IntEnum):
    """Commands of the card by their instruction byte (LD/T 32.5)."""

    VERIFY = 0x20
    CARD_BLOCK = 0x16
    APPLICATION_BLOCK = 0x1E
    CHANGE_UNBLOCK_PIN = 0x24
    CHANGE_PIN = 0x5E
    EXTERNAL_AUTHENTICATION = 0x82
    GET_CHALLENGE = 0x84
    INTERNAL_AUTHENTICATION = 0x88
    SELECT = 0xA4
    READ_BINARY = 0xB0
    READ_RECORD = 0xB2
    UPDATE_BINARY = 0xD6
    UPDATE_RECORD = 0xDC
    GET_BALANCE = 0x26
    INITIALIZE = 0x28
    CREDIT = 0x2A
    DEBIT = 0x2C
    GET_TRANSACTION_PROOF = 0x2E
    STARTING_DAY = 0x56


WRONG_WITH_TRIES: Final = -1
"""Stands for 63Cx with tries left, x > 0."""

_Words = Mapping[int, Reason]

_ANY: Final[_Words] = MappingProxyType(
    {
        SW.FUNCTION_NOT_SUPPORTED: Reason.CARD_BLOCKED,
        SW.APPLICATION_BLOCKED: Reason.CARD_BLOCKED,
    }
)

_FILE: Final[_Words] = MappingProxyType(
    {
        SW.FILE_NOT_FOUND: Reason.FILE_ABSENT,
        SW.RECORD_NOT_FOUND: Reason.RECORD_ABSENT,
        SW.SECURITY_STATUS_NOT_SATISFIED: Reason.ACCESS_DENIED,
    }
)

_PIN: Final[_Words] = MappingProxyType(
    {
        WRONG_WITH_TRIES: Reason.PIN_WRONG,
        0x63C0: Reason.PIN_LOCKED,
        SW.AUTHENTICATION_LOCKED: Reason.PIN_LOCKED,
    }
)

_KEY: Final[_Words] = MappingProxyType(
    {
        WRONG_WITH_TRIES: Reason.KEY_STOPPED,
        0x63C0: Reason.KEY_STOPPED,
        SW.AUTHENTICATION_LOCKED: Reason.KEY_STOPPED,
    }
)

_MAINTENANCE: Final[_Words] = MappingProxyType({SW.SECURITY_STATUS_NOT_SATISFIED: Reason.ACCESS_DENIED})

_MONEY: Final[_Words] = MappingProxyType(
    {
        SW.SECURITY_STATUS_NOT_SATISFIED: Reason.ACCESS_DENIED,
        SW.BALANCE_TOO_SMALL: Reason.BALANCE_TOO_SMALL,
    }
)
# what a card answers that has the application and whose account is not for use (LD/T 32.7 12: 8F of DF04EF05 is not 2)
_ACCOUNT: Final[_Words] = MappingProxyType(
    {
        **_MONEY,
        SW.CONDITIONS_NOT_SATISFIED: Reason.ACCOUNT_NOT_IN_USE,
        SW.NOT_ACCEPTABLE_IN_STATE: Reason.ACCOUNT_NOT_IN_USE,
        SW.FUNCTION_NOT_SUPPORTED: Reason.ACCOUNT_NOT_IN_USE,
        SW.INS_UNKNOWN: Reason.ACCOUNT_NOT_IN_USE,
        SW.CLA_UNKNOWN: Reason.ACCOUNT_NOT_IN_USE,
    }
)

REFUSALS: Final[Mapping[int, _Words]] = MappingProxyType(
    {
        Instruction.VERIFY: _PIN,
        Instruction.CHANGE_PIN: _PIN,
        Instruction.CHANGE_UNBLOCK_PIN: _MAINTENANCE,
        Instruction.APPLICATION_BLOCK: _MAINTENANCE,
        Instruction.CARD_BLOCK: _MAINTENANCE,
        Instruction.EXTERNAL_AUTHENTICATION: _KEY,
        Instruction.SELECT: _FILE,
        Instruction.READ_BINARY: _FILE,
        Instruction.READ_RECORD: _FILE,
        Instruction.UPDATE_BINARY: _FILE,
        Instruction.UPDATE_RECORD: _FILE,
        Instruction.GET_BALANCE: _ACCOUNT,
        Instruction.INITIALIZE: _MONEY,
        Instruction.CREDIT: _MONEY,
        Instruction.DEBIT: _MONEY,
        Instruction.GET_TRANSACTION_PROOF: _ACCOUNT,
        Instruction.STARTING_DAY: _MONEY,
    }
)


def reason_of(instruction: int, sw: int) -> Reason:
    """Return the Reason of a status word that is not 9000, as the answer to that instruction."""
    word = WRONG_WITH_TRIES if tries_left(sw) else sw
    return REFUSALS.get(instruction, _ANY).get(word) or _ANY.get(word) or Reason.STATUS_WORD


def refusal(error: StatusError) -> CarddError:
    """Return the error for clients: its reason, the status word, and the tries left where the card told them."""
    reason = reason_of(error.command.ins, error.sw)
    detail = f"the card answered {describe(error.sw)} to {error.command.header.hex().upper()}"
    word = f"{error.sw:04X}"
    left = tries_left(error.sw)
    if left is None:
        return CarddError(reason, detail, status_word=word)
    return CarddError(reason, detail, status_word=word, tries_left=left)


@contextmanager
def refusals(**place: str) -> Iterator[None]:
    """Turn the status words of a desk operation into reasons.

    `place` (`file="DF04EF05"`, `item="81"`) is named in every error that comes out, unless it names its own.
    """
    try:
        yield
    except StatusError as error:
        raise _placed(refusal(error), place) from error
    except CarddError as error:
        placed = _placed(error, place)
        if placed is error:
            raise
        raise placed from error


def _placed(error: CarddError, place: Mapping[str, str]) -> CarddError:
    missing = {name: where for name, where in place.items() if name not in error.facts}
    if not missing:
        return error
    detail = ": ".join(filter(None, (" ".join(missing.values()), error.detail)))
    return CarddError(error.reason, detail, retry_after_ms=error.retry_after_ms, **{**missing, **error.facts})
