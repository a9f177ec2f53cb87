"""What can happen to an activation: outcomes with their data, and the closed set of facts that tables know.

Outcomes come from cards, people, clocks and the authority. A route's `judge` reduces each to one fact.
"""

from enum import StrEnum
from typing import Literal

from cardd.activation.authority import OldCardStanding, PasswordAnswer, Prospect, SocialCard, Verdict
from cardd.activation.effects import Purpose
from cardd.base.reasons import Reason
from cardd.base.structs import Hidden, Struct
from cardd.wire.cards import Kind


class Fact(StrEnum):
    """Everything that a table decides on."""

    OLD_CARD_IN = "old_card_in"
    SAME_OLD_CARD_IN = "same_old_card_in"
    SOCIAL_CARD_IN = "social_card_in"
    SAME_SOCIAL_CARD_IN = "same_social_card_in"
    SOCIAL_CARD_INSTEAD = "social_card_instead"
    """A social security card where an old one is waited for, at a counter that serves people without an old card."""
    OTHER_CARD_IN = "other_card_in"
    CARD_TROUBLE = "card_trouble"
    CARD_GONE = "card_gone"

    READING_FAILED = "reading_failed"
    """The card could not be worked with, and waiting or another try may help."""
    UNREADABLE = "unreadable"
    """The card could not be worked with, and nothing here will help."""

    OLD_CARD_ACCEPTED = "old_card_accepted"
    PASSWORD_WANTED = "password_wanted"  # noqa: S105 - a fact's name
    PASSWORD_GIVEN = "password_given"  # noqa: S105 - a fact's name
    PASSWORD_RIGHT = "password_right"  # noqa: S105 - a fact's name
    PASSWORD_WRONG = "password_wrong"  # noqa: S105 - a fact's name
    PASSWORD_LOCKED = "password_locked"  # noqa: S105 - a fact's name
    PROMPT_CANCELLED = "prompt_cancelled"

    SOCIAL_CARD_READY = "social_card_ready"
    PIN_WANTED = "pin_wanted"
    NEW_PIN_WANTED = "new_pin_wanted"
    PIN_GIVEN = "pin_given"
    NEW_PIN_READY = "new_pin_ready"
    """The new PIN was typed, and is set once the authority has granted."""
    NEW_PIN_TO_SET = "new_pin_to_set"
    """The new PIN was typed, and is set before the authority is asked."""
    NEW_PIN_TO_CHECK = "new_pin_to_check"
    """The new PIN was typed again after a torn change: whether the card has it is tried once."""
    PIN_RIGHT = "pin_right"
    PIN_WRONG = "pin_wrong"
    PIN_LOCKED = "pin_locked"
    PIN_CHANGED = "pin_changed"
    PIN_NOT_CHANGED = "pin_not_changed"
    """The card does not have the new PIN: the torn change was not made."""
    PIN_UNSURE = "pin_unsure"
    """A change was torn, and enough tries are left to find out."""
    PIN_GIVEN_UP = "pin_given_up"
    """A change was torn, and too few tries are left to find out."""
    PIN_MISSING = "pin_missing"
    """The PIN that the card has is needed and not in memory any more."""
    NEW_PIN_MISSING = "new_pin_missing"
    """The new PIN is needed and not in memory."""

    REFUSED = "refused"
    ALREADY_ACTIVE = "already_active"
    GRANTED = "granted"
    GRANTED_WITH_UPDATES = "granted_with_updates"
    """Granted, and something is to be put on the card: a new PIN, records."""
    OUTCOME_UNKNOWN = "outcome_unknown"
    """The authority can be asked, and the key never arrived there."""
    AUTHORITY_SILENT = "authority_silent"

    CARD_WRITTEN = "card_written"
    WRITTEN_IN_PART = "written_in_part"
    """The records are on the card, and its PIN is not what it should be."""
    CONFIRMED = "confirmed"

    CANCEL = "cancel"
    DEADLINE = "deadline"
    RESTARTED = "restarted"
    RESTARTED_LATE = "restarted_late"
    """The daemon has begun anew after the deadline, and the authority had not been asked yet."""


class Look(Struct, frozen=True):
    """What a card is like, whoever's it is, and the reader that it is in.

    `commands` are those of its stay so far, `identified` those after which it was known.
    """

    reader: str = ""
    via: Literal["contact", "contactless"] = "contact"
    generation: str | None = None
    algorithm: str | None = None
    layout: str | None = None
    identified: int = 0
    commands: int = 0


class CardIn(Struct, frozen=True):
    """A card was put in and recognised. `number` and `identification_code` are whole."""

    insertion: str
    station: str
    kind: Kind
    number: Hidden[str | None] = None
    identification_code: Hidden[str | None] = None
    at_start: bool = False
    look: Look = Look()


class CardTrouble(Struct, frozen=True):
    """Something was put in that could not be recognised."""

    station: str
    reason: Reason
    insertion: str | None = None


class CardGone(Struct, frozen=True):
    """The card that is being worked with left its reader, and by which sign."""

    insertion: str
    station: str
    cause: str = "removed"


class CardFailed(Struct, frozen=True):
    """Working with a card failed; `tries_left` stands with a wrong PIN.

    `sent`: the card may have got a command; without it nothing was done to it.
    """

    reason: Reason
    tries_left: int | None = None
    sent: bool = True


class OldCardLookedUp(Struct, frozen=True):
    """The authority's word on an old card."""

    number: Hidden[str]
    standing: OldCardStanding


class Answered(Struct, frozen=True):
    """A prompt was answered; the digits lie in the engine's slot for that purpose."""

    purpose: Purpose


class PromptCancelled(Struct, frozen=True):
    """The holder will not answer."""


class PasswordChecked(Struct, frozen=True):
    """The authority's word on the old card's password."""

    answer: PasswordAnswer


class SocialCardRead(Struct, frozen=True):
    """A social security card was read, it proved itself, and was held against our rules and the authority's word.

    `prospect` is None where the authority did not answer: who the card says it belongs to is known all the same.
    """

    card: SocialCard
    challenge: str | None
    answer: str | None
    prospect: Prospect | None
    pin_tries: int | None = None


class PinVerified(Struct, frozen=True):
    """The card took the PIN."""


class PinChanged(Struct, frozen=True):
    """The card took the new PIN."""


class PinUnsure(Struct, frozen=True):
    """How many tries are left after a change whose answer was lost; None where the card has no PIN."""

    tries: int | None


class Missing(Struct, frozen=True):
    """What has to be typed before the card's PIN can be set."""

    purpose: Purpose


class VerdictCame(Struct, frozen=True):
    """The authority's verdict; None where it does not know the key."""

    verdict: Verdict | None


class AuthoritySilent(Struct, frozen=True):
    """The authority could not be asked, or did not answer: what it did is not known."""


class CardWritten(Struct, frozen=True):
    """Nothing is left to do on the card: the records, if there were any, are on it and were read back."""


class Confirmed(Struct, frozen=True):
    """The authority has heard what became of the card."""


class CancelAsked(Struct, frozen=True):
    """A client asked to end the activation."""


class DeadlinePassed(Struct, frozen=True):
    """The state's time is over."""


class Restarted(Struct, frozen=True):
    """The daemon has begun anew and found this activation open; `late`: its deadline had passed meanwhile."""

    late: bool = False


Outcome = (
    CardIn
    | CardTrouble
    | CardGone
    | CardFailed
    | OldCardLookedUp
    | Answered
    | PromptCancelled
    | PasswordChecked
    | SocialCardRead
    | PinVerified
    | PinChanged
    | PinUnsure
    | Missing
    | VerdictCame
    | AuthoritySilent
    | CardWritten
    | Confirmed
    | CancelAsked
    | DeadlinePassed
    | Restarted
)
