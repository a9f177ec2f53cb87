"""What clients have done to a card: files written, the PIN asked about, compared, changed."""

from typing import Annotated, Literal

import msgspec

from cardd.wire.activation import Words
from cardd.wire.base import Result
from cardd.wire.cards import CardChoice

Digits = Annotated[int, msgspec.Meta(ge=4, le=16)]


class CardWriteParams(CardChoice, kw_only=True):
    """Write files: `{"DF01EF15": {"2A": "21", "40:2": "…"}}`, texts as readings show them.

    Records to be added to a cyclic file are numbered, `1` to be the newest; a transparent file is replaced by what
    stands under `whole`, in hexadecimal. The same client's same `request` is the same deed and gives the same answer;
    one that was torn goes on, on the same card.
    `with_pin`: files that only open with the holder's PIN are read back with it, which a prompt asks for.
    """

    files: Annotated[dict[str, dict[str, str]], msgspec.Meta(min_length=1)]
    request: Words | None = None
    with_pin: bool = False


class CardWriteResult(Result, kw_only=True):
    """What was written, by file and item. `unchecked` are files that nothing at hand opens to read them back."""

    insertion: str
    written: dict[str, list[str]]
    unchecked: list[str]


class CardPinQueryResult(Result, kw_only=True):
    """Whether the card has a PIN, and how many tries are left (null where it has none, 0 where it is locked)."""

    insertion: str
    set: bool
    tries_left: int | None


class CardPinParams(CardChoice, kw_only=True):
    """Do something with the PIN, once for each `request`. What is typed comes through prompts, never from here.

    `keypad_digits`: the PIN has so many digits and is typed at the reader's own keypad (verify and change only).
    """

    request: Words | None = None
    keypad_digits: Digits | None = None


class CardPinResult(Result, kw_only=True):
    """What was `done`, and `tries_left` where that is known now.

    `unknown`: an earlier attempt of the same `request` was torn, nobody knows whether it was done, and nothing was done
    again.
    """

    insertion: str
    done: str
    tries_left: int | None = None


class CardBlockParams(CardChoice, kw_only=True):
    """Block an application, or the whole `card`, for good: no command undoes it. Once for each `request`."""

    what: Literal["card", "SSSE", "DF03", "DF04"]
    request: Words


class CardBlockResult(Result, kw_only=True):
    """What is blocked now."""

    insertion: str
    blocked: str
