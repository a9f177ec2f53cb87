"""Rows that routes have in common: the social security card, its PIN, the authority, and what is left on the card.

From the move to `authorising` on, no move leads to `cancelled` or `expired`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cardd.activation.effects import Effect, Purpose
from cardd.activation.facts import Fact
from cardd.activation.moves import Beginning, Ignored, Move, Moves, RouteTable
from cardd.base.reasons import Reason
from cardd.wire.activation import Outcome, State

S, F, E = State, Fact, Effect

LOOK: Final = (E.LOOK_AT_CARDS,)
CANCELLED: Final = Move(S.CANCELLED, "cancelled")
REFUSED: Final = Move(S.REFUSED, None)
NO_CENTRE: Final = Move(S.REFUSED, str(Reason.AUTHORITY_UNAVAILABLE))
READ_SOCIAL: Final = Move(S.READING_SOCIAL_CARD, "reading_social_card", (E.READ_SOCIAL_CARD,))
BEFORE: Final[Mapping[Fact, Move]] = MappingProxyType(
    {
        F.CANCEL: CANCELLED,
        F.DEADLINE: Move(S.EXPIRED, "expired"),
        F.RESTARTED_LATE: Move(S.EXPIRED, "interrupted"),
    }
)
"""What ends an activation before the point of no return."""

_ALREADY: Final = Move(S.COMPLETED, "already_active", outcome=Outcome.ALREADY_ACTIVE)
_AUTHORISE: Final = Move(S.AUTHORISING, "authorising", (E.ACTIVATE,))
_DOUBT: Final = Move(S.IN_DOUBT, "in_doubt", (E.ASK_OUTCOME,))
_UPDATE: Final = Move(S.UPDATING_CARD, "updating_card", (E.UPDATE_CARD,))
_PENDING: Final = Move(S.CONFIRMING, "confirming", (E.CONFIRM,), outcome=Outcome.ACTIVATED_UPDATE_PENDING)
_DONE: Final = Move(S.CONFIRMING, "confirming", (E.CONFIRM,), outcome=Outcome.ACTIVATED)
_CONFIRM_AGAIN: Final = Move(S.CONFIRMING, "confirming", (E.CONFIRM,))
_COMPLETED: Final = Move(S.COMPLETED, None)
_STRANGER: Final = Move(S.WAITING_SAME_CARD, "stranger_card", keeps_question=True)
_SAME_AGAIN: Final = Move(S.WAITING_SAME_CARD, "same_card_again", LOOK)
_PIN_LOCKED: Final = Move(S.REFUSED, str(Reason.PIN_LOCKED))


def _pin(say: str, purpose: Purpose) -> Move:
    return Move(S.WAITING_PIN, say, ask=purpose)


def _pin_after(say: str, purpose: Purpose) -> Move:
    return Move(S.WAITING_SAME_CARD, say, ask=purpose)


_VERDICT: Final[Mapping[Fact, Move]] = MappingProxyType(
    {
        F.GRANTED: _DONE,
        F.GRANTED_WITH_UPDATES: _UPDATE,
        F.ALREADY_ACTIVE: _ALREADY,
        F.REFUSED: REFUSED,
        F.OUTCOME_UNKNOWN: _AUTHORISE,
        F.AUTHORITY_SILENT: _DOUBT,
    }
)


def social_moves(insert: str, pauses: Mapping[Fact, Move]) -> Moves:
    """Return the rows of the social security card; `insert` asks for it, `pauses` are the cards that are not wanted."""
    again = Move(S.WAITING_SOCIAL_CARD, insert, LOOK)
    failed = Move(S.WAITING_SOCIAL_CARD, None, LOOK)
    pulled = Move(S.WAITING_SOCIAL_CARD, "card_pulled", LOOK)
    return {
        S.WAITING_SOCIAL_CARD: {
            F.SOCIAL_CARD_IN: READ_SOCIAL,
            F.SAME_SOCIAL_CARD_IN: READ_SOCIAL,
            F.OTHER_CARD_IN: Move(S.WAITING_SOCIAL_CARD, str(Reason.CARD_UNKNOWN)),
            F.CARD_TROUBLE: Move(S.WAITING_SOCIAL_CARD, None),
            F.RESTARTED: again,
            **pauses,
            **BEFORE,
        },
        S.READING_SOCIAL_CARD: {
            F.SOCIAL_CARD_READY: _AUTHORISE,
            F.PIN_WANTED: _pin("social_pin", Purpose.SOCIAL_PIN),
            F.NEW_PIN_WANTED: _pin("new_pin", Purpose.NEW_PIN),
            F.PIN_UNSURE: _pin("pin_torn", Purpose.NEW_PIN),
            F.PIN_GIVEN_UP: _PIN_LOCKED,
            F.PIN_LOCKED: _PIN_LOCKED,
            F.ALREADY_ACTIVE: _ALREADY,
            F.REFUSED: REFUSED,
            F.READING_FAILED: failed,
            F.CARD_GONE: pulled,
            F.AUTHORITY_SILENT: NO_CENTRE,
            F.RESTARTED: again,
            **BEFORE,
        },
        S.WAITING_PIN: {
            F.PIN_GIVEN: Move(S.WAITING_PIN, "checking_password", (E.VERIFY_PIN,)),
            F.PIN_RIGHT: _AUTHORISE,
            F.PIN_WRONG: _pin("social_pin_again", Purpose.SOCIAL_PIN),
            F.PIN_LOCKED: _PIN_LOCKED,
            F.NEW_PIN_WANTED: _pin("new_pin", Purpose.NEW_PIN),
            F.NEW_PIN_READY: _AUTHORISE,
            F.NEW_PIN_TO_SET: Move(S.WAITING_PIN, "changing_pin", (E.CHANGE_PIN,)),
            F.NEW_PIN_TO_CHECK: Move(S.WAITING_PIN, "checking_password", (E.VERIFY_PIN,)),
            F.PIN_CHANGED: _AUTHORISE,
            F.PIN_NOT_CHANGED: _pin("pin_not_changed", Purpose.SOCIAL_PIN),
            F.REFUSED: REFUSED,
            F.READING_FAILED: failed,
            F.CARD_GONE: pulled,
            F.PROMPT_CANCELLED: CANCELLED,
            # what was typed is gone, and so is the card's proof: it is read anew, wherever it lies, and asked again
            F.RESTARTED: Move(S.WAITING_SOCIAL_CARD, "secret_lost", LOOK),
            **BEFORE,
        },
    }


AFTER: Final[Moves] = MappingProxyType(
    {
        S.AUTHORISING: {
            **_VERDICT,
            F.DEADLINE: _DOUBT,
            F.RESTARTED: Move(S.AUTHORISING, "authorising", (E.ASK_OUTCOME,)),
        },
        S.IN_DOUBT: {**_VERDICT, F.RESTARTED: _DOUBT},
        S.UPDATING_CARD: {
            F.CARD_WRITTEN: _DONE,
            F.WRITTEN_IN_PART: _PENDING,
            F.PIN_CHANGED: _UPDATE,
            F.PIN_LOCKED: _UPDATE,
            F.PIN_GIVEN_UP: _UPDATE,
            F.PIN_WRONG: _pin_after("social_pin_again", Purpose.SOCIAL_PIN),
            F.PIN_NOT_CHANGED: _pin_after("pin_not_changed", Purpose.SOCIAL_PIN),
            F.PIN_UNSURE: _pin_after("pin_torn", Purpose.NEW_PIN),
            F.PIN_MISSING: _pin_after("secret_lost", Purpose.SOCIAL_PIN),
            F.NEW_PIN_MISSING: _pin_after("new_pin", Purpose.NEW_PIN),
            F.UNREADABLE: _PENDING,
            F.READING_FAILED: Move(S.WAITING_SAME_CARD, None, LOOK),
            F.CARD_GONE: _SAME_AGAIN,
            F.DEADLINE: _PENDING,
            F.RESTARTED: _SAME_AGAIN,
        },
        S.WAITING_SAME_CARD: {
            F.SAME_SOCIAL_CARD_IN: _UPDATE,
            F.PIN_GIVEN: _UPDATE,
            F.NEW_PIN_READY: _UPDATE,
            # the holder will not type: the PIN is left as it is
            F.PROMPT_CANCELLED: _UPDATE,
            F.SOCIAL_CARD_IN: _STRANGER,
            F.OLD_CARD_IN: _STRANGER,
            F.SAME_OLD_CARD_IN: _STRANGER,
            F.OTHER_CARD_IN: _STRANGER,
            F.CARD_TROUBLE: Move(S.WAITING_SAME_CARD, None, keeps_question=True),
            F.DEADLINE: _PENDING,
            F.RESTARTED: _SAME_AGAIN,
        },
        S.CONFIRMING: {
            F.CONFIRMED: _COMPLETED,
            F.AUTHORITY_SILENT: _CONFIRM_AGAIN,
            F.DEADLINE: _COMPLETED,
            F.RESTARTED: _CONFIRM_AGAIN,
        },
    }
)
"""The rows beyond the point of no return, the same for every route."""

# Groups of facts by where they come from, to say what changes nothing.
CARDS: Final = frozenset(
    {
        F.OLD_CARD_IN,
        F.SAME_OLD_CARD_IN,
        F.SOCIAL_CARD_IN,
        F.SAME_SOCIAL_CARD_IN,
        F.SOCIAL_CARD_INSTEAD,
        F.OTHER_CARD_IN,
        F.CARD_TROUBLE,
    }
)
FAILED: Final = frozenset({F.READING_FAILED, F.UNREADABLE})
OLD: Final = frozenset({F.OLD_CARD_ACCEPTED, F.PASSWORD_WANTED})
PASSWORDS: Final = frozenset({F.PASSWORD_GIVEN, F.PASSWORD_RIGHT, F.PASSWORD_WRONG, F.PASSWORD_LOCKED})
SOCIAL: Final = frozenset({F.SOCIAL_CARD_READY, F.PIN_WANTED, F.NEW_PIN_WANTED})
TYPED: Final = frozenset({F.PIN_GIVEN, F.NEW_PIN_READY, F.NEW_PIN_TO_SET, F.NEW_PIN_TO_CHECK})
TRIED: Final = frozenset({F.PIN_RIGHT, F.PIN_WRONG, F.PIN_LOCKED, F.PIN_CHANGED, F.PIN_NOT_CHANGED})
UNSURE: Final = frozenset({F.PIN_UNSURE, F.PIN_GIVEN_UP})
MISSING: Final = frozenset({F.PIN_MISSING, F.NEW_PIN_MISSING})
GRANTS: Final = frozenset({F.GRANTED, F.GRANTED_WITH_UPDATES, F.OUTCOME_UNKNOWN})
WRITING: Final = frozenset({F.CARD_WRITTEN, F.WRITTEN_IN_PART, F.CONFIRMED})
WORDS: Final = frozenset({F.REFUSED, F.ALREADY_ACTIVE})
PINS: Final = TYPED | TRIED | UNSURE | MISSING
BEYOND: Final = GRANTS | WRITING

# What changes nothing: answers to what was not asked in that state, and cards that may lie where they are. A client
# that asks for `cancel` in a state that ignores it is told TOO_LATE.
SOCIAL_IGNORED: Final[Ignored] = MappingProxyType(
    {
        S.WAITING_SOCIAL_CARD: frozenset({F.SOCIAL_CARD_INSTEAD, F.CARD_GONE, F.PROMPT_CANCELLED, F.AUTHORITY_SILENT})
        | FAILED
        | OLD
        | PASSWORDS
        | SOCIAL
        | PINS
        | BEYOND
        | WORDS,
        S.READING_SOCIAL_CARD: frozenset({F.PROMPT_CANCELLED, F.UNREADABLE})
        | CARDS
        | OLD
        | PASSWORDS
        | TYPED
        | (TRIED - {F.PIN_LOCKED})
        | MISSING
        | BEYOND,
        S.WAITING_PIN: frozenset(
            {F.ALREADY_ACTIVE, F.AUTHORITY_SILENT, F.UNREADABLE, F.SOCIAL_CARD_READY, F.PIN_WANTED}
        )
        | CARDS
        | OLD
        | PASSWORDS
        | UNSURE
        | MISSING
        | BEYOND,
    }
)

AFTER_IGNORED: Final[Ignored] = MappingProxyType(
    {
        S.AUTHORISING: frozenset({F.CANCEL, F.RESTARTED_LATE, F.CARD_GONE, F.PROMPT_CANCELLED})
        | CARDS
        | FAILED
        | OLD
        | PASSWORDS
        | SOCIAL
        | PINS
        | WRITING,
        S.IN_DOUBT: frozenset({F.CANCEL, F.RESTARTED_LATE, F.DEADLINE, F.CARD_GONE, F.PROMPT_CANCELLED})
        | CARDS
        | FAILED
        | OLD
        | PASSWORDS
        | SOCIAL
        | PINS
        | WRITING,
        S.UPDATING_CARD: frozenset(
            {F.CANCEL, F.RESTARTED_LATE, F.CONFIRMED, F.AUTHORITY_SILENT, F.PROMPT_CANCELLED, F.PIN_RIGHT}
        )
        | CARDS
        | OLD
        | PASSWORDS
        | SOCIAL
        | TYPED
        | GRANTS
        | WORDS,
        S.WAITING_SAME_CARD: frozenset(
            {F.CANCEL, F.RESTARTED_LATE, F.CARD_GONE, F.AUTHORITY_SILENT, F.SOCIAL_CARD_INSTEAD}
            | {F.NEW_PIN_TO_SET, F.NEW_PIN_TO_CHECK}
        )
        | FAILED
        | OLD
        | PASSWORDS
        | SOCIAL
        | TRIED
        | UNSURE
        | MISSING
        | BEYOND
        | WORDS,
        S.CONFIRMING: frozenset(
            {F.CANCEL, F.RESTARTED_LATE, F.CARD_GONE, F.PROMPT_CANCELLED, F.CARD_WRITTEN, F.WRITTEN_IN_PART}
        )
        | CARDS
        | FAILED
        | OLD
        | PASSWORDS
        | SOCIAL
        | PINS
        | GRANTS
        | WORDS,
    }
)


def of_one_card() -> RouteTable:
    """Return the table of a route that begins with the social security card itself."""
    not_needed = Move(S.WAITING_SOCIAL_CARD, "old_card_not_needed")
    pauses = {F.OLD_CARD_IN: not_needed, F.SAME_OLD_CARD_IN: not_needed}
    return RouteTable(
        begin=Beginning(S.WAITING_SOCIAL_CARD, "insert_card", LOOK),
        moves={**social_moves("insert_card", pauses), **AFTER},
        ignored={**SOCIAL_IGNORED, **AFTER_IGNORED},
    )
