"""The pharmacy route: the old card, its password if it has one, then the new card."""

from typing import Final

from cardd.activation.effects import Purpose
from cardd.activation.moves import Beginning, Move, RouteTable
from cardd.activation.rows import (
    AFTER,
    AFTER_IGNORED,
    BEFORE,
    BEYOND,
    CANCELLED,
    CARDS,
    FAILED,
    LOOK,
    NO_CENTRE,
    OLD,
    PASSWORDS,
    PINS,
    READ_SOCIAL,
    REFUSED,
    SOCIAL,
    SOCIAL_IGNORED,
    WORDS,
    E,
    F,
    S,
    social_moves,
)
from cardd.base.reasons import Reason

_READ_OLD: Final = Move(S.READING_OLD_CARD, "reading_old_card", (E.READ_OLD_CARD,))
_WAIT_SOCIAL: Final = Move(S.WAITING_SOCIAL_CARD, "insert_social_card", LOOK)
_ASK_AGAIN: Final = Move(S.WAITING_OLD_PASSWORD, "secret_lost", ask=Purpose.OLD_CARD_PASSWORD)

PHARMACY: Final = RouteTable(
    begin=Beginning(S.WAITING_OLD_CARD, "insert_old_card", LOOK),
    moves={
        S.WAITING_OLD_CARD: {
            F.OLD_CARD_IN: _READ_OLD,
            F.SAME_OLD_CARD_IN: _READ_OLD,
            F.SOCIAL_CARD_INSTEAD: READ_SOCIAL,
            F.SOCIAL_CARD_IN: Move(S.WAITING_OLD_CARD, "social_card_first"),
            F.SAME_SOCIAL_CARD_IN: Move(S.WAITING_OLD_CARD, "social_card_first"),
            F.OTHER_CARD_IN: Move(S.WAITING_OLD_CARD, str(Reason.CARD_UNKNOWN)),
            F.CARD_TROUBLE: Move(S.WAITING_OLD_CARD, None),
            F.RESTARTED: Move(S.WAITING_OLD_CARD, "insert_old_card", LOOK),
            **BEFORE,
        },
        S.READING_OLD_CARD: {
            F.OLD_CARD_ACCEPTED: _WAIT_SOCIAL,
            F.PASSWORD_WANTED: Move(S.WAITING_OLD_PASSWORD, "old_card_password", ask=Purpose.OLD_CARD_PASSWORD),
            F.REFUSED: REFUSED,
            F.UNREADABLE: Move(S.REFUSED, str(Reason.OLD_CARD_UNREADABLE)),
            F.READING_FAILED: Move(S.WAITING_OLD_CARD, None, LOOK),
            F.CARD_GONE: Move(S.WAITING_OLD_CARD, "card_pulled", LOOK),
            F.AUTHORITY_SILENT: NO_CENTRE,
            # a number that was given is looked up again; a card that was in is waited for
            F.RESTARTED: _READ_OLD,
            **BEFORE,
        },
        S.WAITING_OLD_PASSWORD: {
            F.PASSWORD_GIVEN: Move(S.WAITING_OLD_PASSWORD, "checking_password", (E.VERIFY_OLD_PASSWORD,)),
            F.PASSWORD_RIGHT: _WAIT_SOCIAL,
            F.PASSWORD_WRONG: Move(S.WAITING_OLD_PASSWORD, "old_card_password_again", ask=Purpose.OLD_CARD_PASSWORD),
            F.PASSWORD_LOCKED: Move(S.REFUSED, str(Reason.OLD_PASSWORD_LOCKED)),
            F.READING_FAILED: _ASK_AGAIN,
            F.AUTHORITY_SILENT: NO_CENTRE,
            F.REFUSED: REFUSED,
            F.PROMPT_CANCELLED: CANCELLED,
            F.RESTARTED: _ASK_AGAIN,
            **BEFORE,
        },
        **social_moves(
            "insert_social_card",
            {
                F.SAME_OLD_CARD_IN: Move(S.WAITING_SOCIAL_CARD, "same_old_card"),
                F.OLD_CARD_IN: Move(S.WAITING_SOCIAL_CARD, "other_old_card"),
            },
        ),
        **AFTER,
    },
    ignored={
        S.WAITING_OLD_CARD: frozenset({F.CARD_GONE, F.PROMPT_CANCELLED, F.AUTHORITY_SILENT})
        | FAILED
        | OLD
        | PASSWORDS
        | SOCIAL
        | PINS
        | BEYOND
        | WORDS,
        S.READING_OLD_CARD: frozenset({F.PROMPT_CANCELLED, F.ALREADY_ACTIVE})
        | CARDS
        | PASSWORDS
        | SOCIAL
        | PINS
        | BEYOND,
        S.WAITING_OLD_PASSWORD: frozenset({F.CARD_GONE, F.ALREADY_ACTIVE, F.UNREADABLE})
        | CARDS
        | OLD
        | SOCIAL
        | PINS
        | BEYOND,
        **SOCIAL_IGNORED,
        **AFTER_IGNORED,
    },
)
