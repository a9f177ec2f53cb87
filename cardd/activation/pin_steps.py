"""Where the setting of a new PIN stands after an outcome. Pure; the case keeps it, so that a restart knows too."""

from typing import Final

from cardd.activation import facts
from cardd.activation.case import Case
from cardd.activation.effects import Effect
from cardd.activation.judge import CARD_LEFT
from cardd.activation.moves import AFTER_NO_RETURN, Move
from cardd.activation.pins import FEWEST_TRIES, PinRule, PinStep, Setter
from cardd.base.reasons import REASONS, Reason, Retry

_UNSETTLED: Final = frozenset({PinStep.TRIED, PinStep.TORN})

UNSURE_STEPS: Final = frozenset({PinStep.TRIED, PinStep.TORN, PinStep.SET})
"""Steps after which nobody may say that the card is as it was."""


def begin_step(step: PinStep, move: Move) -> PinStep:
    """Return the step to commit with a move that has the card change its PIN: tried, before the card hears of it."""
    changes = Effect.CHANGE_PIN in move.do or Effect.UPDATE_CARD in move.do
    return PinStep.TRIED if changes and step is PinStep.DUE else step


def next_step(case: Case, outcome: facts.Outcome, rule: PinRule) -> PinStep:
    """Return the step that an outcome leads to."""
    match outcome:
        case facts.SocialCardRead():
            step = _card_read(case, outcome, rule)
        case facts.PinChanged():
            step = PinStep.SET
        case facts.PinVerified():
            step = PinStep.SET if case.pin is PinStep.TORN else case.pin
        case facts.PinUnsure():
            few = outcome.tries is not None and outcome.tries < FEWEST_TRIES
            step = PinStep.LEFT if few else PinStep.TORN
        case facts.Missing():
            step = PinStep.DUE
        case facts.PromptCancelled():
            step = PinStep.LEFT if case.state in AFTER_NO_RETURN else case.pin
        case facts.CardFailed():
            step = _failed(case, outcome, rule)
        case facts.CardGone() | facts.CancelAsked() | facts.DeadlinePassed() | facts.Restarted():
            step = _torn(case, rule)
        case _:
            step = case.pin
    return step


def _card_read(case: Case, read: facts.SocialCardRead, rule: PinRule) -> PinStep:
    same = case.social is not None and case.social.identification_code == read.card.identification_code
    if same and case.pin in {PinStep.TORN, PinStep.SET}:
        return case.pin
    return PinStep.NONE if rule.setter is None else PinStep.DUE


def _torn(case: Case, rule: PinRule) -> PinStep:
    """Return what becomes of a command that may or may not have reached the card."""
    if case.pin is not PinStep.TRIED:
        return case.pin
    # by the issuer's right it is simply done again
    return PinStep.DUE if rule.setter is Setter.ISSUER else PinStep.TORN


def _failed(case: Case, failed: facts.CardFailed, rule: PinRule) -> PinStep:
    if case.pin not in _UNSETTLED:
        return case.pin
    if failed.reason is Reason.PIN_LOCKED:
        return PinStep.LEFT
    if failed.reason is Reason.PIN_WRONG:
        return PinStep.DUE
    if not failed.sent or failed.reason is Reason.CARD_DATA_DIFFERS:
        return PinStep.DUE if case.pin is PinStep.TRIED else case.pin
    if failed.reason in CARD_LEFT or REASONS[failed.reason].retry is not Retry.NEVER:
        return _torn(case, rule)
    return PinStep.LEFT
