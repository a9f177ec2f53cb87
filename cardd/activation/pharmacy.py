"""The pharmacy route as tables: the old card, then the new one.

`judge` reduces an outcome to a fact; MOVES and IGNORED together say what every fact does in every open state. Nothing
here waits, remembers or touches anything. The point of no return is the move to `authorising`: from there on no move
leads to `cancelled` or `expired`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from cardd.activation import facts
from cardd.activation.authority import OldCardStanding, PasswordAnswer, Prospect, Standing, Verdict
from cardd.activation.effects import Effect, Purpose
from cardd.activation.facts import Fact
from cardd.base.reasons import REASONS, Reason, Retry
from cardd.wire.activation import Outcome, State
from cardd.wire.cards import Kind

AFTER_NO_RETURN: Final = frozenset(
    {State.AUTHORISING, State.UPDATING_CARD, State.WAITING_SAME_CARD, State.CONFIRMING, State.IN_DOUBT}
)

CARD_LEFT: Final = frozenset({Reason.CARD_REMOVED, Reason.STALE_INSERTION, Reason.NO_CARD})


@dataclass(frozen=True, slots=True)
class Known:
    """What `judge` may compare with: the cards read so far, and whether the policy asks for the social PIN."""

    old_number: str | None = None
    identification_code: str | None = None
    ask_pin: bool = False


@dataclass(frozen=True, slots=True)
class Move:
    """Where a fact leads: the next state, what to say, whom to ask, what to do, what it came to.

    `say` is a text's code; None says the reason that came with the outcome.
    """

    to: State
    say: str | None
    do: tuple[Effect, ...] = ()
    ask: Purpose | None = None
    outcome: Outcome | None = None


def judge(state: State, outcome: facts.Outcome, known: Known) -> Fact:
    """Reduce an outcome to the one fact that counts in this state."""
    match outcome:
        case facts.CardIn():
            fact = _card_in(outcome, known)
        case facts.CardFailed():
            fact = _failure(state, outcome.reason)
        case facts.OldCardLookedUp():
            fact = _old_card(outcome.standing)
        case facts.Answered():
            fact = _GIVEN[outcome.purpose]
        case facts.PasswordChecked():
            fact = _password(outcome.answer)
        case facts.SocialCardRead():
            fact = _prospect(outcome.prospect, known)
        case facts.VerdictCame():
            fact = _verdict(outcome.verdict)
        case _:
            fact = _PLAIN[type(outcome)]
    return fact


_PLAIN: Final[Mapping[type[facts.Outcome], Fact]] = MappingProxyType(
    {
        facts.CardTrouble: Fact.CARD_TROUBLE,
        facts.CardGone: Fact.CARD_GONE,
        facts.PromptCancelled: Fact.PROMPT_CANCELLED,
        facts.PinVerified: Fact.PIN_RIGHT,
        facts.AuthoritySilent: Fact.AUTHORITY_SILENT,
        facts.CardWritten: Fact.CARD_WRITTEN,
        facts.Confirmed: Fact.CONFIRMED,
        facts.CancelAsked: Fact.CANCEL,
        facts.DeadlinePassed: Fact.DEADLINE,
        facts.Restarted: Fact.RESTARTED,
    }
)

_GIVEN: Final[Mapping[Purpose, Fact]] = MappingProxyType(
    {
        Purpose.OLD_CARD_PASSWORD: Fact.PASSWORD_GIVEN,
        Purpose.SOCIAL_PIN: Fact.PIN_GIVEN,
        Purpose.NEW_PIN: Fact.PIN_GIVEN,
    }
)


def _card_in(card: facts.CardIn, known: Known) -> Fact:
    if card.kind is Kind.MEDICAL_INSURANCE:
        same = card.number is not None and card.number == known.old_number
        return Fact.SAME_OLD_CARD_IN if same else Fact.OLD_CARD_IN
    if card.kind is Kind.SOCIAL_SECURITY:
        same = card.identification_code is not None and card.identification_code == known.identification_code
        return Fact.SAME_SOCIAL_CARD_IN if same else Fact.SOCIAL_CARD_IN
    return Fact.OTHER_CARD_IN


_FAILURES: Final[Mapping[Reason, Fact]] = MappingProxyType(
    {
        **dict.fromkeys(CARD_LEFT, Fact.CARD_GONE),
        Reason.AUTHORITY_UNAVAILABLE: Fact.AUTHORITY_SILENT,
        Reason.PIN_WRONG: Fact.PIN_WRONG,
        Reason.PIN_LOCKED: Fact.PIN_LOCKED,
    }
)


def _failure(state: State, reason: Reason) -> Fact:
    """Pause where the reason's own advice is to try again or to wait; a record that went unread is nothing final."""
    if reason in _FAILURES:
        return _FAILURES[reason]
    if REASONS[reason].retry is not Retry.NEVER:
        return Fact.READING_FAILED
    if state is State.READING_OLD_CARD or state in AFTER_NO_RETURN:
        return Fact.UNREADABLE
    return Fact.REFUSED


def _old_card(standing: OldCardStanding) -> Fact:
    if standing.refusal is not None:
        return Fact.REFUSED
    return Fact.PASSWORD_WANTED if standing.password else Fact.OLD_CARD_ACCEPTED


def _password(answer: PasswordAnswer) -> Fact:
    if answer.right:
        return Fact.PASSWORD_RIGHT
    return Fact.PASSWORD_WRONG if answer.tries_left > 0 else Fact.PASSWORD_LOCKED


def _prospect(prospect: Prospect, known: Known) -> Fact:
    if prospect.standing is not Standing.GRANTED:
        return _STANDINGS[prospect.standing]
    return Fact.PIN_WANTED if known.ask_pin else Fact.SOCIAL_CARD_READY


def _verdict(verdict: Verdict | None) -> Fact:
    if verdict is None:
        return Fact.OUTCOME_UNKNOWN
    if verdict.standing is not Standing.GRANTED:
        return _STANDINGS[verdict.standing]
    return Fact.GRANTED_WITH_RECORDS if verdict.updates else Fact.GRANTED


_STANDINGS: Final[Mapping[Standing, Fact]] = MappingProxyType(
    {Standing.REFUSED: Fact.REFUSED, Standing.ALREADY_ACTIVE: Fact.ALREADY_ACTIVE}
)

S, F, E = State, Fact, Effect

_LOOK: Final = (E.LOOK_AT_CARDS,)
_EXPIRED: Final = Move(S.EXPIRED, "expired")
_INTERRUPTED: Final = Move(S.EXPIRED, "interrupted")
_CANCELLED: Final = Move(S.CANCELLED, "cancelled")
_REFUSED: Final = Move(S.REFUSED, None)
_ALREADY: Final = Move(S.COMPLETED, "already_active", outcome=Outcome.ALREADY_ACTIVE)
_READ_OLD: Final = Move(S.READING_OLD_CARD, "reading_old_card", (E.READ_OLD_CARD,))
_READ_SOCIAL: Final = Move(S.READING_SOCIAL_CARD, "reading_social_card", (E.READ_SOCIAL_CARD,))
_WAIT_SOCIAL: Final = Move(S.WAITING_SOCIAL_CARD, "insert_social_card", _LOOK)
_AUTHORISE: Final = Move(S.AUTHORISING, "authorising", (E.ACTIVATE,))
_WRITE: Final = Move(S.UPDATING_CARD, "updating_card", (E.WRITE_CARD,))
_DOUBT: Final = Move(S.IN_DOUBT, "in_doubt", (E.ASK_OUTCOME,))
_PENDING: Final = Move(S.CONFIRMING, "confirming", (E.CONFIRM,), outcome=Outcome.ACTIVATED_UPDATE_PENDING)
_DONE: Final = Move(S.CONFIRMING, "confirming", (E.CONFIRM,), outcome=Outcome.ACTIVATED)
_CONFIRM_AGAIN: Final = Move(S.CONFIRMING, "confirming", (E.CONFIRM,))
_COMPLETED: Final = Move(S.COMPLETED, None)
_STRANGER: Final = Move(S.WAITING_SAME_CARD, "stranger_card")
_SAME_AGAIN: Final = Move(S.WAITING_SAME_CARD, "same_card_again", _LOOK)

_BEFORE: Final[Mapping[Fact, Move]] = {F.CANCEL: _CANCELLED, F.DEADLINE: _EXPIRED, F.RESTARTED: _INTERRUPTED}
_VERDICT: Final[Mapping[Fact, Move]] = {
    F.GRANTED: _DONE,
    F.GRANTED_WITH_RECORDS: _WRITE,
    F.ALREADY_ACTIVE: _ALREADY,
    F.REFUSED: _REFUSED,
    F.OUTCOME_UNKNOWN: _AUTHORISE,
    F.AUTHORITY_SILENT: _DOUBT,
}

MOVES: Final[Mapping[State, Mapping[Fact, Move]]] = MappingProxyType(
    {
        S.WAITING_OLD_CARD: {
            F.OLD_CARD_IN: _READ_OLD,
            F.SAME_OLD_CARD_IN: _READ_OLD,
            F.SOCIAL_CARD_IN: Move(S.WAITING_OLD_CARD, "social_card_first"),
            F.SAME_SOCIAL_CARD_IN: Move(S.WAITING_OLD_CARD, "social_card_first"),
            F.OTHER_CARD_IN: Move(S.WAITING_OLD_CARD, str(Reason.CARD_UNKNOWN)),
            F.CARD_TROUBLE: Move(S.WAITING_OLD_CARD, None),
            **_BEFORE,
        },
        S.READING_OLD_CARD: {
            F.OLD_CARD_ACCEPTED: _WAIT_SOCIAL,
            F.PASSWORD_WANTED: Move(S.WAITING_OLD_PASSWORD, "old_card_password", ask=Purpose.OLD_CARD_PASSWORD),
            F.REFUSED: _REFUSED,
            F.UNREADABLE: Move(S.REFUSED, str(Reason.OLD_CARD_UNREADABLE)),
            F.READING_FAILED: Move(S.WAITING_OLD_CARD, None, _LOOK),
            F.CARD_GONE: Move(S.WAITING_OLD_CARD, "card_pulled", _LOOK),
            F.AUTHORITY_SILENT: Move(S.REFUSED, str(Reason.AUTHORITY_UNAVAILABLE)),
            **_BEFORE,
        },
        S.WAITING_OLD_PASSWORD: {
            F.PASSWORD_GIVEN: Move(S.WAITING_OLD_PASSWORD, "checking_password", (E.VERIFY_OLD_PASSWORD,)),
            F.PASSWORD_RIGHT: _WAIT_SOCIAL,
            F.PASSWORD_WRONG: Move(S.WAITING_OLD_PASSWORD, "old_card_password_again", ask=Purpose.OLD_CARD_PASSWORD),
            F.PASSWORD_LOCKED: Move(S.REFUSED, str(Reason.OLD_PASSWORD_LOCKED)),
            F.AUTHORITY_SILENT: Move(S.REFUSED, str(Reason.AUTHORITY_UNAVAILABLE)),
            F.REFUSED: _REFUSED,
            F.PROMPT_CANCELLED: _CANCELLED,
            **_BEFORE,
        },
        S.WAITING_SOCIAL_CARD: {
            F.SOCIAL_CARD_IN: _READ_SOCIAL,
            F.SAME_SOCIAL_CARD_IN: _READ_SOCIAL,
            F.SAME_OLD_CARD_IN: Move(S.WAITING_SOCIAL_CARD, "same_old_card"),
            F.OLD_CARD_IN: Move(S.WAITING_SOCIAL_CARD, "other_old_card"),
            F.OTHER_CARD_IN: Move(S.WAITING_SOCIAL_CARD, str(Reason.CARD_UNKNOWN)),
            F.CARD_TROUBLE: Move(S.WAITING_SOCIAL_CARD, None),
            **_BEFORE,
        },
        S.READING_SOCIAL_CARD: {
            F.SOCIAL_CARD_READY: _AUTHORISE,
            F.PIN_WANTED: Move(S.WAITING_PIN, "social_pin", ask=Purpose.SOCIAL_PIN),
            F.ALREADY_ACTIVE: _ALREADY,
            F.REFUSED: _REFUSED,
            F.READING_FAILED: Move(S.WAITING_SOCIAL_CARD, None, _LOOK),
            F.CARD_GONE: Move(S.WAITING_SOCIAL_CARD, "card_pulled", _LOOK),
            F.AUTHORITY_SILENT: Move(S.REFUSED, str(Reason.AUTHORITY_UNAVAILABLE)),
            **_BEFORE,
        },
        S.WAITING_PIN: {
            F.PIN_GIVEN: Move(S.WAITING_PIN, "checking_password", (E.VERIFY_PIN,)),
            F.PIN_RIGHT: _AUTHORISE,
            F.PIN_WRONG: Move(S.WAITING_PIN, "social_pin_again", ask=Purpose.SOCIAL_PIN),
            F.PIN_LOCKED: Move(S.REFUSED, str(Reason.PIN_LOCKED)),
            F.REFUSED: _REFUSED,
            F.READING_FAILED: Move(S.WAITING_SOCIAL_CARD, None, _LOOK),
            F.CARD_GONE: Move(S.WAITING_SOCIAL_CARD, "card_pulled", _LOOK),
            F.PROMPT_CANCELLED: _CANCELLED,
            **_BEFORE,
        },
        S.AUTHORISING: {
            **_VERDICT,
            F.DEADLINE: _DOUBT,
            F.RESTARTED: Move(S.AUTHORISING, "authorising", (E.ASK_OUTCOME,)),
        },
        S.IN_DOUBT: {**_VERDICT, F.RESTARTED: _DOUBT},
        S.UPDATING_CARD: {
            F.CARD_WRITTEN: _DONE,
            F.UNREADABLE: _PENDING,
            F.READING_FAILED: Move(S.WAITING_SAME_CARD, None, _LOOK),
            F.CARD_GONE: _SAME_AGAIN,
            F.DEADLINE: _PENDING,
            F.RESTARTED: _SAME_AGAIN,
        },
        S.WAITING_SAME_CARD: {
            F.SAME_SOCIAL_CARD_IN: _WRITE,
            F.SOCIAL_CARD_IN: _STRANGER,
            F.OLD_CARD_IN: _STRANGER,
            F.SAME_OLD_CARD_IN: _STRANGER,
            F.OTHER_CARD_IN: _STRANGER,
            F.CARD_TROUBLE: Move(S.WAITING_SAME_CARD, None),
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

_CARDS: Final = (
    F.OLD_CARD_IN,
    F.SAME_OLD_CARD_IN,
    F.SOCIAL_CARD_IN,
    F.SAME_SOCIAL_CARD_IN,
    F.OTHER_CARD_IN,
    F.CARD_TROUBLE,
)
_FAILED: Final = (F.READING_FAILED, F.UNREADABLE)
_OLD: Final = (F.OLD_CARD_ACCEPTED, F.PASSWORD_WANTED)
_PASSWORDS: Final = (F.PASSWORD_GIVEN, F.PASSWORD_RIGHT, F.PASSWORD_WRONG, F.PASSWORD_LOCKED)
_SOCIAL: Final = (F.SOCIAL_CARD_READY, F.PIN_WANTED)
_PINS: Final = (F.PIN_GIVEN, F.PIN_RIGHT, F.PIN_WRONG, F.PIN_LOCKED)
_GRANTS: Final = (F.GRANTED, F.GRANTED_WITH_RECORDS, F.OUTCOME_UNKNOWN)
_WRITING: Final = (F.CARD_WRITTEN, F.CONFIRMED)
_WORDS: Final = (F.REFUSED, F.ALREADY_ACTIVE)

# What changes nothing: answers to what was not asked in that state, and cards that may lie where they are. A client
# that asks for `cancel` in a state that ignores it is told TOO_LATE.
IGNORED: Final[Mapping[State, frozenset[Fact]]] = MappingProxyType(
    {
        S.WAITING_OLD_CARD: frozenset(
            {F.CARD_GONE, F.PROMPT_CANCELLED, F.AUTHORITY_SILENT, *_FAILED, *_OLD, *_PASSWORDS, *_SOCIAL, *_PINS}
            | {*_GRANTS, *_WRITING, *_WORDS}
        ),
        S.READING_OLD_CARD: frozenset(
            {F.PROMPT_CANCELLED, F.ALREADY_ACTIVE, *_CARDS, *_PASSWORDS, *_SOCIAL, *_PINS, *_GRANTS, *_WRITING}
        ),
        S.WAITING_OLD_PASSWORD: frozenset(
            {F.CARD_GONE, F.ALREADY_ACTIVE, *_CARDS, *_FAILED, *_OLD, *_SOCIAL, *_PINS, *_GRANTS, *_WRITING}
        ),
        S.WAITING_SOCIAL_CARD: frozenset(
            {F.CARD_GONE, F.PROMPT_CANCELLED, F.AUTHORITY_SILENT, *_FAILED, *_OLD, *_PASSWORDS, *_SOCIAL, *_PINS}
            | {*_GRANTS, *_WRITING, *_WORDS}
        ),
        S.READING_SOCIAL_CARD: frozenset(
            {F.PROMPT_CANCELLED, F.UNREADABLE, *_CARDS, *_OLD, *_PASSWORDS, *_PINS, *_GRANTS, *_WRITING}
        ),
        S.WAITING_PIN: frozenset(
            {F.ALREADY_ACTIVE, F.AUTHORITY_SILENT, F.UNREADABLE, *_CARDS, *_OLD, *_PASSWORDS, *_SOCIAL}
            | {*_GRANTS, *_WRITING}
        ),
        S.AUTHORISING: frozenset(
            {F.CANCEL, F.CARD_GONE, F.PROMPT_CANCELLED, *_CARDS, *_FAILED, *_OLD, *_PASSWORDS, *_SOCIAL, *_PINS}
            | {*_WRITING}
        ),
        S.IN_DOUBT: frozenset(
            {F.CANCEL, F.DEADLINE, F.CARD_GONE, F.PROMPT_CANCELLED, *_CARDS, *_FAILED, *_OLD, *_PASSWORDS}
            | {*_SOCIAL, *_PINS, *_WRITING}
        ),
        S.UPDATING_CARD: frozenset(
            {F.CANCEL, F.CONFIRMED, F.AUTHORITY_SILENT, F.PROMPT_CANCELLED, *_CARDS, *_OLD, *_PASSWORDS}
            | {*_SOCIAL, *_PINS, *_GRANTS, *_WORDS}
        ),
        S.WAITING_SAME_CARD: frozenset(
            {F.CANCEL, F.CARD_GONE, F.AUTHORITY_SILENT, F.PROMPT_CANCELLED, *_FAILED, *_OLD, *_PASSWORDS}
            | {*_SOCIAL, *_PINS, *_GRANTS, *_WRITING, *_WORDS}
        ),
        S.CONFIRMING: frozenset(
            {F.CANCEL, F.CARD_GONE, F.CARD_WRITTEN, F.PROMPT_CANCELLED, *_CARDS, *_FAILED, *_OLD, *_PASSWORDS}
            | {*_SOCIAL, *_PINS, *_GRANTS, *_WORDS}
        ),
    }
)

TABLE: Final[Mapping[tuple[State, Fact], Move | None]] = MappingProxyType(
    {(state, fact): move for state, row in MOVES.items() for fact, move in row.items()}
    | {(state, fact): None for state, row in IGNORED.items() for fact in row}
)
"""Every open state with every fact: its move, or None where it changes nothing."""
