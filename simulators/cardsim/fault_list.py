"""What may go wrong with a card, in the words of a persona or a scenario.

Each fault says what it does (`do`) and where: `at` a number is that command, counted from 1 since the card was made
(GET RESPONSE is not counted); a name (`READ RECORD`) is every command of that name, or with `nth` that one of them
alone; `reset` is a reset; without `at` it is every command.
"""

from typing import Annotated, Literal

import msgspec

Byte = Annotated[str, msgspec.Meta(pattern="^([0-9A-Fa-f]{2} ?)+$")]
Word = Annotated[str, msgspec.Meta(pattern="^[0-9A-Fa-f]{4}$")]
Count = Annotated[int, msgspec.Meta(ge=1)]
Baud = Annotated[int, msgspec.Meta(ge=9600, le=312_500)]
EVERY = "every"
RESET = "reset"


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do"):
    """Where it happens."""

    at: str = EVERY
    nth: Count | None = None


class Tear(Fault, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="tear"):
    """The card is torn out: before the command comes, after `bytes` of its writing, or before its answer goes.

    It is back at once, as a card that slipped, unless it `stays_out`: then it answers nothing any more in this reader.
    """

    when: Literal["before", "during", "after"] = "during"
    bytes: Annotated[int, msgspec.Meta(ge=0)] = 0
    stays_out: bool = False


class Mute(Fault, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="mute"):
    """The card says nothing any more until it gets power anew; at a reset: not even an answer to it."""


class Slow(Fault, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="slow"):
    """The card takes its time: `ms` for each command, or the time that its bytes take at so many `baud`.

    A character of T=0 takes 12 elementary time units (start, 8 bits, parity, 2 of guard time; ISO 7816-3), a unit is
    1/baud seconds: (characters to the card x (12 + guard) + characters from it x 12) / baud. To the card go header, P3
    and data; from it come data and status word, and one procedure byte where data travel. GET RESPONSE takes its time
    too. `guard` is the extra guard time of the card's TC1.
    """

    ms: Count | None = None
    baud: Baud | None = None
    guard: Annotated[int, msgspec.Meta(ge=0, le=254)] = 0

    def __post_init__(self) -> None:
        if (self.ms is None) == (self.baud is None):
            raise ValueError("say how slow: either `ms` or `baud`")
        if self.guard and self.baud is None:
            raise ValueError("`guard` goes with `baud`")


class Answer(Fault, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="answer"):
    """The card does not carry the command out and answers a status word."""

    word: Word


class Flip(Fault, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="flip"):
    """Bits of the answer's data are wrong, from byte `offset` on (below 0: counted from the end); or of the ATR."""

    bits: Byte = "FF"
    offset: int = 0


class Endless(Fault, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="endless"):
    """There is always more waiting: 61xx, and again after each GET RESPONSE."""

    waiting: Annotated[int, msgspec.Meta(ge=1, le=255)] = 16


class WrongMac(Fault, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="wrong-mac"):
    """The last four bytes of the answer's data are wrong."""


class Stick(Fault, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="stick"):
    """A counter stays where it is: of loads, of purchases, of a security module's debits, of tries of the PIN."""

    counter: Literal["online", "offline", "terminal", "pin"]


class Worn(Fault, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="worn"):
    """The card's memory fails after `bytes` of the command's writing: 6581, and the account locks the card."""

    bytes: Annotated[int, msgspec.Meta(ge=0)] = 0


class Twin(Fault, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="twin"):
    """From then on another card answers, just powered, with this one's answer to reset.

    It is that of `persona`, a shipped one or a file; left out, a card like this one with another holder.
    """

    persona: str | None = None


AnyFault = Tear | Worn | Mute | Slow | Answer | Flip | Endless | WrongMac | Stick | Twin
