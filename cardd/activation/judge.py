"""Reducing what happened to the one fact that counts. Data are looked at here and nowhere else."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cardd.activation import facts
from cardd.activation.authority import OldCardStanding, PasswordAnswer, Standing, Verdict
from cardd.activation.effects import Purpose
from cardd.activation.facts import Fact
from cardd.activation.moves import AFTER_NO_RETURN, Known
from cardd.activation.pins import FEWEST_TRIES, PIN_RULES, PinMoment, PinStep
from cardd.base.reasons import REASONS, Reason, Retry
from cardd.wire.activation import State
from cardd.wire.cards import Kind

CARD_LEFT: Final = frozenset({Reason.CARD_REMOVED, Reason.STALE_INSERTION, Reason.NO_CARD})


def judge(state: State, outcome: facts.Outcome, known: Known) -> Fact:
    """Reduce an outcome to the one fact that counts in this state."""
    match outcome:
        case facts.CardIn():
            fact = _card_in(state, outcome, known)
        case facts.CardFailed():
            fact = _failure(state, outcome.reason, known)
        case facts.OldCardLookedUp():
            fact = _old_card(outcome.standing)
        case facts.PasswordChecked():
            fact = _password(outcome.answer)
        case facts.SocialCardRead():
            fact = _social_card(outcome, known)
        case facts.VerdictCame():
            fact = _verdict(outcome.verdict, known)
        case facts.CardWritten():
            fact = Fact.WRITTEN_IN_PART if known.pin is PinStep.LEFT else Fact.CARD_WRITTEN
        case facts.Restarted():
            fact = Fact.RESTARTED_LATE if outcome.late else Fact.RESTARTED
        case facts.Answered() | facts.PinVerified() | facts.PinUnsure() | facts.Missing():
            fact = _pin(state, outcome, known)
        case _:
            fact = _PLAIN[type(outcome)]
    return fact


def _pin(
    state: State, outcome: facts.Answered | facts.PinVerified | facts.PinUnsure | facts.Missing, known: Known
) -> Fact:
    match outcome:
        case facts.Answered():
            return _answered(state, outcome.purpose, known)
        case facts.PinVerified():
            return _pin_taken(state, known)
        case facts.PinUnsure():
            return Fact.PIN_UNSURE if _worth_trying(outcome.tries) else Fact.PIN_GIVEN_UP
        case facts.Missing():
            return _MISSING[outcome.purpose]


_PLAIN: Final[Mapping[type[facts.Outcome], Fact]] = MappingProxyType(
    {
        facts.CardTrouble: Fact.CARD_TROUBLE,
        facts.CardGone: Fact.CARD_GONE,
        facts.PromptCancelled: Fact.PROMPT_CANCELLED,
        facts.PinChanged: Fact.PIN_CHANGED,
        facts.AuthoritySilent: Fact.AUTHORITY_SILENT,
        facts.Confirmed: Fact.CONFIRMED,
        facts.CancelAsked: Fact.CANCEL,
        facts.DeadlinePassed: Fact.DEADLINE,
    }
)

_MISSING: Final[Mapping[Purpose, Fact]] = MappingProxyType(
    {
        Purpose.OLD_CARD_PASSWORD: Fact.NEW_PIN_MISSING,
        Purpose.SOCIAL_PIN: Fact.PIN_MISSING,
        Purpose.NEW_PIN: Fact.NEW_PIN_MISSING,
    }
)


def _card_in(state: State, card: facts.CardIn, known: Known) -> Fact:
    if card.kind is Kind.MEDICAL_INSURANCE:
        same = card.number is not None and card.number == known.old_number
        return Fact.SAME_OLD_CARD_IN if same else Fact.OLD_CARD_IN
    if card.kind is Kind.SOCIAL_SECURITY:
        if state is State.WAITING_OLD_CARD and known.without_old_card:
            return Fact.SOCIAL_CARD_INSTEAD
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


def _failure(state: State, reason: Reason, known: Known) -> Fact:
    """Pause where the reason's own advice is to try again or to wait; a record that went unread is nothing final."""
    if reason is Reason.PIN_WRONG and known.pin is PinStep.TORN:
        return Fact.PIN_NOT_CHANGED
    if reason in _FAILURES:
        return _FAILURES[reason]
    if REASONS[reason].retry is not Retry.NEVER:
        return Fact.READING_FAILED
    # a fault of our own, in the middle of asking the authority perhaps, is not the old card's
    if state in AFTER_NO_RETURN or (state is State.READING_OLD_CARD and reason is not Reason.INTERNAL):
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


def _answered(state: State, purpose: Purpose, known: Known) -> Fact:
    if purpose is Purpose.OLD_CARD_PASSWORD:
        return Fact.PASSWORD_GIVEN
    if purpose is Purpose.SOCIAL_PIN:
        return Fact.PIN_GIVEN
    if state in AFTER_NO_RETURN:
        return Fact.NEW_PIN_READY
    torn = known.pin is PinStep.TORN
    return _by_rule(known, PinMoment.NEW_PIN_TYPED_TORN if torn else PinMoment.NEW_PIN_TYPED)


def _social_card(read: facts.SocialCardRead, known: Known) -> Fact:
    if read.prospect is None:
        return Fact.AUTHORITY_SILENT
    if read.prospect.standing is not Standing.GRANTED:
        return _STANDINGS[read.prospect.standing]
    torn = known.pin is PinStep.TORN and read.card.identification_code == known.identification_code
    fact = _by_rule(known, _moment(known, torn=torn))
    if fact in _PRESENTED and read.pin_tries == 0:
        return Fact.PIN_LOCKED
    if fact is Fact.PIN_UNSURE and not _worth_trying(read.pin_tries):
        return Fact.PIN_GIVEN_UP
    return fact


def _moment(known: Known, *, torn: bool) -> PinMoment:
    if torn:
        return PinMoment.CARD_READ_TORN
    return PinMoment.CARD_READ_PASSWORD_HELD if known.holds_password else PinMoment.CARD_READ


def _pin_taken(state: State, known: Known) -> Fact:
    """Tell what a PIN that the card took means; beyond the point of no return only a new one is ever presented."""
    if state in AFTER_NO_RETURN:
        return Fact.PIN_CHANGED
    return _by_rule(known, PinMoment.PIN_TAKEN_TORN if known.pin is PinStep.TORN else PinMoment.PIN_TAKEN)


def _by_rule(known: Known, moment: PinMoment) -> Fact:
    return PIN_RULES[known.pin_policy].facts[moment]


def _worth_trying(tries: int | None) -> bool:
    return tries is None or tries >= FEWEST_TRIES


def _verdict(verdict: Verdict | None, known: Known) -> Fact:
    if verdict is None:
        return Fact.OUTCOME_UNKNOWN
    if verdict.standing is not Standing.GRANTED:
        return _STANDINGS[verdict.standing]
    return Fact.GRANTED_WITH_UPDATES if verdict.updates or known.pin is PinStep.DUE else Fact.GRANTED


_STANDINGS: Final[Mapping[Standing, Fact]] = MappingProxyType(
    {Standing.REFUSED: Fact.REFUSED, Standing.ALREADY_ACTIVE: Fact.ALREADY_ACTIVE}
)
_PRESENTED: Final = frozenset({Fact.PIN_WANTED, Fact.PIN_UNSURE})
"""After these a PIN is presented, which a locked one does not survive; setting one by the issuer's right unlocks it."""
