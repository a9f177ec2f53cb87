"""The PIN rule as a table of its own: for each policy, what each moment of an activation leads to.

A route's table knows facts only; which of them a card that was read or a PIN that was typed comes to, is said here. No
PIN is ever presented that the holder did not type for that purpose, and none twice by itself: a change whose answer was
lost (`TORN`) is settled by the tries that are left and by the holder, who types the new PIN again.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from cardd.activation.facts import Fact
from cardd.base.structs import Struct

FEWEST_TRIES: Final = 2
"""Fewer tries than these are left alone: the next wrong PIN might be the last."""


class PinPolicy(StrEnum):
    """What becomes of the social security card's PIN in an activation."""

    NONE = "none"
    VERIFY = "verify"
    TAKE_OVER = "take_over"
    CHANGE = "change"
    CHANGE_IS_ACTIVATION = "change_is_activation"


class PinStep(StrEnum):
    """Where the setting of a new PIN stands. `TRIED` is committed before the card gets the command."""

    NONE = "none"
    DUE = "due"
    TRIED = "tried"
    TORN = "torn"
    """Nobody knows which PIN the card has."""
    SET = "set"
    LEFT = "left"
    """It was given up: the card keeps the PIN it has."""


class Setter(StrEnum):
    """By whose right a new PIN is set: the holder's (CHANGE PIN, once) or the issuer's (PIN CHANGE/UNBLOCK)."""

    HOLDER = "holder"
    ISSUER = "issuer"


class PinMoment(StrEnum):
    """What a policy decides on."""

    CARD_READ = "card_read"
    CARD_READ_PASSWORD_HELD = "card_read_password_held"  # noqa: S105 - a moment's name
    CARD_READ_TORN = "card_read_torn"
    PIN_TAKEN = "pin_taken"
    PIN_TAKEN_TORN = "pin_taken_torn"
    NEW_PIN_TYPED = "new_pin_typed"
    NEW_PIN_TYPED_TORN = "new_pin_typed_torn"


class PinRule(Struct, frozen=True):
    """One policy: what each moment comes to, and by whose right a new PIN is set (None: there is no new one).

    `before`: the PIN is set before the authority is asked, so that nobody is activated who has not changed it.
    """

    facts: Mapping[PinMoment, Fact]
    setter: Setter | None = None
    before: bool = False


_NOTHING: Final[Mapping[PinMoment, Fact]] = {
    PinMoment.CARD_READ: Fact.SOCIAL_CARD_READY,
    PinMoment.CARD_READ_PASSWORD_HELD: Fact.SOCIAL_CARD_READY,
    PinMoment.CARD_READ_TORN: Fact.SOCIAL_CARD_READY,
    PinMoment.PIN_TAKEN: Fact.PIN_RIGHT,
    PinMoment.PIN_TAKEN_TORN: Fact.PIN_RIGHT,
    PinMoment.NEW_PIN_TYPED: Fact.NEW_PIN_READY,
    PinMoment.NEW_PIN_TYPED_TORN: Fact.NEW_PIN_READY,
}
_VERIFY: Final[Mapping[PinMoment, Fact]] = {
    **_NOTHING,
    PinMoment.CARD_READ: Fact.PIN_WANTED,
    PinMoment.CARD_READ_PASSWORD_HELD: Fact.PIN_WANTED,
    PinMoment.CARD_READ_TORN: Fact.PIN_WANTED,
}
_TAKE_OVER: Final[Mapping[PinMoment, Fact]] = {
    **_NOTHING,
    # there was no password, or a restart has forgotten it
    PinMoment.CARD_READ: Fact.NEW_PIN_WANTED,
    PinMoment.CARD_READ_TORN: Fact.NEW_PIN_WANTED,
}
_CHANGE: Final[Mapping[PinMoment, Fact]] = {**_VERIFY, PinMoment.PIN_TAKEN: Fact.NEW_PIN_WANTED}
_CHANGE_FIRST: Final[Mapping[PinMoment, Fact]] = {
    **_CHANGE,
    PinMoment.CARD_READ_TORN: Fact.PIN_UNSURE,
    PinMoment.NEW_PIN_TYPED: Fact.NEW_PIN_TO_SET,
    PinMoment.NEW_PIN_TYPED_TORN: Fact.NEW_PIN_TO_CHECK,
    PinMoment.PIN_TAKEN_TORN: Fact.PIN_CHANGED,
}

PIN_RULES: Final[Mapping[PinPolicy, PinRule]] = MappingProxyType(
    {
        PinPolicy.NONE: PinRule(_NOTHING),
        PinPolicy.VERIFY: PinRule(_VERIFY),
        PinPolicy.TAKE_OVER: PinRule(_TAKE_OVER, Setter.ISSUER),
        PinPolicy.CHANGE: PinRule(_CHANGE, Setter.HOLDER),
        PinPolicy.CHANGE_IS_ACTIVATION: PinRule(_CHANGE_FIRST, Setter.HOLDER, before=True),
    }
)
