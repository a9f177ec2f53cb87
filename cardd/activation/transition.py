"""One transition as pure computation: the next case, and the events that tell of it."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

import msgspec

from cardd.activation import facts
from cardd.activation.authority import Prospect, Verdict
from cardd.activation.case import Case, Question, Say, TextArgs, masked, parties
from cardd.activation.effects import Effect, Purpose
from cardd.activation.moves import Move
from cardd.activation.pin_steps import UNSURE_STEPS, begin_step, next_step
from cardd.activation.pins import PIN_RULES, PinStep
from cardd.activation.policy import Policy
from cardd.base.reasons import Reason
from cardd.base.structs import Struct
from cardd.desk.prompts import LONGEST, SHORTEST
from cardd.journal.events import Json, NewEvent
from cardd.journal.heads import Head, Place
from cardd.wire.activation import Outcome, State
from cardd.wire.authority import HeadSignature


class Moment(Struct, frozen=True):
    """What a transition needs beside its tables: the time, the rules, a head for others to keep, a prompt's name."""

    now: datetime
    policy: Policy
    vouch: Callable[[], Place]
    new_prompt: Callable[[], str]


def timestamp(when: datetime) -> str:
    """Return a moment as RFC 3339 in UTC with milliseconds."""
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def deadline_of(policy: Policy, state: State, now: datetime) -> str | None:
    """Return when a state that begins now is over, None where it has no end of its own."""
    seconds = policy.deadline_s(state)
    return None if seconds is None else timestamp(now + timedelta(seconds=seconds))


def remaining_s(case: Case, now: datetime) -> float:
    """Return how long the state that a case stands in may still last, by the time of day; 0 where it is over."""
    if case.deadline is None:
        return 0.0
    return max((datetime.fromisoformat(case.deadline) - now).total_seconds(), 0.0)


def advance(case: Case, move: Move, outcome: facts.Outcome, moment: Moment) -> Case:
    """Return the case after a move: what was learnt, where it stands now, what is said and asked."""
    learnt = learn(case, outcome, moment.policy)
    goes_on = deadline_goes_on(case, move, outcome)
    deadline = case.deadline if goes_on else deadline_of(moment.policy, move.to, moment.now)
    came_to = move.outcome or learnt.outcome
    code = move.say or _code(outcome, came_to, move.to)
    say = Say(code=_PIN_CAVEATS.get(code, code) if learnt.pin in UNSURE_STEPS else code, args=_args(outcome))
    ended = timestamp(moment.now) if move.to in _END_EVENTS else None
    first_request = move.to is State.AUTHORISING and learnt.requested is None
    head = moment.vouch() if first_request else None
    return msgspec.structs.replace(
        learnt,
        state=move.to,
        say=say,
        deadline=deadline,
        question=_question(case, move, outcome, deadline, moment),
        pin=begin_step(learnt.pin, move),
        requested=timestamp(moment.now) if first_request else learnt.requested,
        journal_head=learnt.journal_head if head is None else str(head),
        journal_signature=learnt.journal_signature if head is None else _signature(head),
        attempts=learnt.attempts + (Effect.ACTIVATE in move.do),
        outcome=came_to if move.to in {State.COMPLETED, State.CONFIRMING} else learnt.outcome,
        reason=_end_reason(move.to, say, outcome),
        ended=ended,
    )


def _signature(head: Place) -> HeadSignature | None:
    if not isinstance(head, Head):
        return None
    return HeadSignature(time=head.time, algorithm=head.algorithm, key=head.key, signature=head.signature)


def deadline_goes_on(case: Case, move: Move, outcome: facts.Outcome) -> bool:
    """Tell whether a restart leaves a person no more time than there was before it."""
    return isinstance(outcome, facts.Restarted) and case.state in _PERSON_STATES and move.to in _PERSON_STATES


_PERSON_STATES: Final = frozenset(
    {State.WAITING_OLD_CARD, State.WAITING_OLD_PASSWORD, State.WAITING_SOCIAL_CARD, State.WAITING_PIN}
)

_PIN_CAVEATS: Final[Mapping[str, str]] = MappingProxyType(
    {"expired": "expired_pin", "interrupted": "interrupted_pin", "cancelled": "cancelled_pin"}
)
"""Ends that say that nothing was changed, and what they say where the card's PIN may have been."""


def learn(case: Case, outcome: facts.Outcome, policy: Policy) -> Case:
    """Take over what an outcome tells about cards, PIN and verdict."""
    step = next_step(case, outcome, PIN_RULES[policy.pin_of(case.route)])
    return msgspec.structs.replace(_learn(case, outcome), pin=step)


def _learn(case: Case, outcome: facts.Outcome) -> Case:
    match outcome:
        case facts.OldCardLookedUp():
            return msgspec.structs.replace(case, old_card=outcome.number)
        case facts.SocialCardRead():
            return msgspec.structs.replace(
                case, social=outcome.card, challenge=outcome.challenge, answer=outcome.answer
            )
        case facts.VerdictCame(verdict=Verdict() as verdict):
            return msgspec.structs.replace(case, updates=verdict.updates, receipt=verdict.receipt)
        case _:
            return case


def begun(case: Case) -> tuple[NewEvent, ...]:
    """Return the events of an activation that has just begun."""
    started: dict[str, Json] = {
        "route": str(case.route),
        "client": case.client,
        "operator": case.operator,
        "visit": parties(masked(case))["visit"],
    }
    personal = {} if case.visit is None else {"visit": parties(case)["visit"]}
    return (_event(case, "activation.started", started, personal), _step(case))


def told(before: Case, after: Case, outcome: facts.Outcome) -> tuple[NewEvent, ...]:
    """Return the events of one transition, in their order."""
    events: list[NewEvent] = []
    if before.question is not None and not _still_open(before, after):
        closed: dict[str, Json] = {
            "prompt": before.question.prompt,
            "purpose": str(before.question.purpose),
            "cause": _CLOSED_BY.get(type(outcome), "over"),
        }
        events.append(_event(after, "prompt.closed", closed))
    events.extend(_done_to_the_card(before, after, outcome))
    if after.state in _END_EVENTS:
        return (*events, _end(before, after, outcome))
    if isinstance(outcome, facts.Restarted):
        events.append(_event(after, "activation.resumed", {"state": str(after.state)}))
    if after.state is State.IN_DOUBT and before.state is not State.IN_DOUBT:
        events.append(_event(after, "activation.in_doubt", {"state": str(after.state), "text": _text(after.say)}))
    events.append(_step(after))
    if after.question is not None and not _still_open(before, after):
        events.append(_event(after, "prompt.opened", _opened(after.question)))
    return tuple(events)


def _still_open(before: Case, after: Case) -> bool:
    return after.question is not None and after.question == before.question


def _done_to_the_card(before: Case, case: Case, outcome: facts.Outcome) -> tuple[NewEvent, ...]:
    """Return the event of what happened to the card itself, whatever becomes of the activation. Values stay out."""
    match outcome:
        case facts.PinChanged() | facts.PinVerified() if case.pin is PinStep.SET and before.pin is not PinStep.SET:
            return (_event(case, "pin.changed", {"purpose": str(Purpose.NEW_PIN), "route": str(case.route)}),)
        case facts.CardWritten() if case.updates:
            files: dict[str, Json] = {file: [*items] for file, items in case.updates.items()}
            return (_event(case, "card.written", {"files": files}),)
        case facts.CardFailed(reason=Reason.PIN_LOCKED):
            text: dict[str, Json] = {"code": str(Reason.PIN_LOCKED), "args": {}}
            return (_event(case, "pin.locked", {"purpose": str(Purpose.SOCIAL_PIN), "text": text}),)
        case _:
            return ()


_END_EVENTS: Final[Mapping[State, str]] = MappingProxyType(
    {
        State.COMPLETED: "activation.completed",
        State.REFUSED: "activation.refused",
        State.CANCELLED: "activation.cancelled",
        State.EXPIRED: "activation.expired",
    }
)

_CLOSED_BY: Final[Mapping[type[facts.Outcome], str]] = MappingProxyType(
    {
        facts.Answered: "answered",
        facts.PromptCancelled: "cancelled",
        facts.CancelAsked: "cancelled",
        facts.DeadlinePassed: "deadline",
        facts.Restarted: "restart",
        facts.CardGone: "card_removed",
    }
)

_COMPLETED_TEXTS: Final[Mapping[Outcome, str]] = MappingProxyType(
    {
        Outcome.ACTIVATED: "completed",
        Outcome.ALREADY_ACTIVE: "already_active",
        Outcome.ACTIVATED_UPDATE_PENDING: "activated_update_pending",
    }
)


def _code(outcome: facts.Outcome, came_to: Outcome | None, to: State) -> str:
    if to is State.COMPLETED and came_to is not None:
        return _COMPLETED_TEXTS[came_to]
    return str(reason_of(outcome) or Reason.INTERNAL)


def reason_of(outcome: facts.Outcome) -> Reason | None:
    """Return the reason that came with an outcome."""
    match outcome:
        case facts.CardTrouble() | facts.CardFailed():
            return outcome.reason
        case facts.OldCardLookedUp():
            return outcome.standing.refusal
        case facts.SocialCardRead(prospect=Prospect() as prospect):
            return prospect.reason
        case facts.VerdictCame(verdict=Verdict() as verdict):
            return verdict.reason
        case _:
            return None


def tries_left(outcome: facts.Outcome) -> int | None:
    """Return how many tries are left, where an outcome tells that."""
    match outcome:
        case facts.PasswordChecked():
            return outcome.answer.tries_left
        case facts.CardFailed():
            return outcome.tries_left
        case facts.PinUnsure():
            return outcome.tries
        case facts.OldCardLookedUp():
            return outcome.standing.tries_left
        case facts.SocialCardRead():
            return outcome.pin_tries
        case _:
            return None


def _args(outcome: facts.Outcome) -> TextArgs:
    left = tries_left(outcome)
    return {} if left is None else {"tries_left": left}


def _question(case: Case, move: Move, outcome: facts.Outcome, deadline: str | None, moment: Moment) -> Question | None:
    purpose = move.ask
    if purpose is None:
        return case.question if move.keeps_question else None
    return Question(
        prompt=moment.new_prompt(),
        purpose=purpose,
        digits=(SHORTEST, LONGEST),
        tries_left=_last_known_tries(case) if isinstance(outcome, facts.Restarted) else tries_left(outcome),
        deadline=deadline,
    )


def _last_known_tries(case: Case) -> int | None:
    return None if case.question is None else case.question.tries_left


def _end_reason(to: State, say: Say, outcome: facts.Outcome) -> str | None:
    if to is State.REFUSED:
        return say.code
    if to is State.CANCELLED and isinstance(outcome, facts.PromptCancelled):
        return str(Reason.PIN_CANCELLED)
    return None


def _end(before: Case, after: Case, outcome: facts.Outcome) -> NewEvent:
    cause = "restart" if isinstance(outcome, facts.Restarted) else "deadline"
    particulars: dict[State, dict[str, Json]] = {
        State.COMPLETED: {"outcome": None if after.outcome is None else str(after.outcome)},
        State.REFUSED: {"reason": after.reason},
        State.CANCELLED: {"reason": after.reason},
        State.EXPIRED: {"cause": cause},
    }
    data: dict[str, Json] = {
        "route": str(after.route),
        "state": str(after.state),
        "ended_in": str(before.state),
        **particulars[after.state],
        "text": _text(after.say),
        **parties(masked(after)),
    }
    personal = {name: value for name, value in parties(after).items() if value is not None and name != "receipt"}
    return _event(after, _END_EVENTS[after.state], data, personal)


def _step(case: Case) -> NewEvent:
    prompt: dict[str, Json] = {"code": case.say.code, "text": _text(case.say)}
    return _event(case, "activation.step", {"state": str(case.state), "prompt": prompt, "deadline": case.deadline})


def _opened(question: Question) -> dict[str, Json]:
    return {
        "prompt": question.prompt,
        "purpose": str(question.purpose),
        "digits": list(question.digits),
        "tries_left": question.tries_left,
        "deadline": question.deadline,
    }


def _text(say: Say) -> dict[str, Json]:
    return {"code": say.code, "args": dict(say.args)}


def _event(case: Case, kind: str, data: Mapping[str, Json], personal: Mapping[str, Json] | None = None) -> NewEvent:
    return NewEvent(kind, case.station, data, personal or {}, correlation=case.id)
