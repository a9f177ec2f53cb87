"""Calls of the national terminal driver's functions, as programs make them that were written for its library."""

from typing import Annotated

import msgspec

from cardd.wire.activation import Words
from cardd.wire.base import Params, Result
from cardd.wire.deeds import Digits

_FUNCTION_CHARACTERS = 64
_ARGUMENTS = 8


class DriverCallParams(Params, kw_only=True):
    """Call a function of the driver (`iReadCardBas`) with what goes into it, in its order; numbers may be text.

    `reader` names a reader of the station that is meant; it may be left out where one station has a card. What is
    disclosed is on record with `purpose`, which is the function's name where none is given. `request` makes a write or
    a PIN one deed, as with the methods of those, and names prompts; a debit is one by its bill. `wait_s` is 1.5 where
    it is left out. `keypad_digits` has the PIN typed at the reader's own keypad.
    """

    function: Annotated[str, msgspec.Meta(min_length=1, max_length=_FUNCTION_CHARACTERS)]
    args: Annotated[list[int | str], msgspec.Meta(max_length=_ARGUMENTS)] = msgspec.field(default_factory=list)
    reader: str | None = None
    wait_s: float | None = None
    purpose: str | None = None
    request: Words | None = None
    keypad_digits: Digits | None = None


class DriverCallResult(Result, kw_only=True):
    """What the function returns: 0 or a negative number, and the text that belongs into its output buffer.

    Of a failure the text says why, in Chinese.
    """

    code: int
    out: str
