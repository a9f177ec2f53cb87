"""One transition as pure computation: the next case, and the events that tell of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

import msgspec

from cardd.activation import facts
from cardd.activation.authority import Verdict
from cardd.activation.case import Case, Question, Say, TextArgs, masked, parties
from cardd.activation.effects import Effect, Purpose
from cardd.activation.pharmacy import Move
from cardd.activation.policy import Policy
from cardd.base.reasons import Reason
from cardd.desk.prompts import LONGEST, SHORTEST
from cardd.journal.events import Json, NewEvent
from cardd.wire.activation import Outcome, State


@dataclass(frozen=True, slots=True)
class Moment:
    """What a transition needs beside its tables: the time, the rules, the journal's head, a fresh prompt's name."""

    now: datetime
    policy: Policy
    journal_head: str
    new_prompt: Callable[[], str]


def timestamp(when: datetime) -> str:
    """Return a moment as RFC 3339 in UTC with milliseconds."""
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def deadline_of(policy: Policy, state: State, now: datetime) -> str | None:
    """Return when a state that begins now is over, None where it has no end of its own."""
    seconds = policy.deadline_s(state)
    return None if seconds is None else timestamp(now + timedelta(seconds=seconds))


def advance(case: Case, move: Move, outcome: facts.Outcome, moment: Moment) -> Case:
    """Return the case after a move: what was learnt, where it stands now, what is said and asked."""
    learnt = learn(case, outcome)
    deadline = deadline_of(moment.policy, move.to, moment.now)
    came_to = move.outcome or learnt.outcome
    say = Say(code=move.say or _code(outcome, came_to, move.to), args=_args(outcome))
    ended = timestamp(moment.now) if move.to in _END_EVENTS else None
    first_request = move.to is State.AUTHORISING and learnt.requested is None
    return msgspec.structs.replace(
        learnt,
        state=move.to,
        say=say,
        deadline=deadline,
        question=None if move.ask is None else _question(move.ask, outcome, deadline, moment),
        requested=timestamp(moment.now) if first_request else learnt.requested,
        journal_head=moment.journal_head if first_request else learnt.journal_head,
        attempts=learnt.attempts + (Effect.ACTIVATE in move.do),
        outcome=came_to if move.to in {State.COMPLETED, State.CONFIRMING} else learnt.outcome,
        reason=_end_reason(move.to, say, outcome),
        ended=ended,
    )


def learn(case: Case, outcome: facts.Outcome) -> Case:
    """Take over what an outcome tells about cards and verdict."""
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
    started: dict[str, Json] = {"route": str(case.route), "client": case.client, "operator": case.operator}
    return (_event(case, "activation.started", started), _step(case))


def told(before: Case, after: Case, outcome: facts.Outcome) -> tuple[NewEvent, ...]:
    """Return the events of one transition, in their order."""
    events: list[NewEvent] = []
    if before.question is not None:
        closed: dict[str, Json] = {
            "prompt": before.question.prompt,
            "purpose": str(before.question.purpose),
            "cause": _CLOSED_BY.get(type(outcome), "over"),
        }
        events.append(_event(after, "prompt.closed", closed))
    events.extend(_done_to_the_card(after, outcome))
    if after.state in _END_EVENTS:
        return (*events, _end(before, after, outcome))
    if isinstance(outcome, facts.Restarted):
        events.append(_event(after, "activation.resumed", {"state": str(after.state)}))
    if after.state is State.IN_DOUBT and before.state is not State.IN_DOUBT:
        events.append(_event(after, "activation.in_doubt", {"state": str(after.state), "text": _text(after.say)}))
    events.append(_step(after))
    if after.question is not None:
        events.append(_event(after, "prompt.opened", _opened(after.question)))
    return tuple(events)


def _done_to_the_card(case: Case, outcome: facts.Outcome) -> tuple[NewEvent, ...]:
    """Return the event of what happened to the card itself, whatever becomes of the activation. Values stay out."""
    match outcome:
        case facts.CardWritten():
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
    return str(_reason(outcome) or Reason.INTERNAL)


def _reason(outcome: facts.Outcome) -> Reason | None:
    match outcome:
        case facts.CardTrouble() | facts.CardFailed():
            return outcome.reason
        case facts.OldCardLookedUp():
            return outcome.standing.refusal
        case facts.SocialCardRead():
            return outcome.prospect.reason
        case facts.VerdictCame(verdict=Verdict() as verdict):
            return verdict.reason
        case _:
            return None


def _tries_left(outcome: facts.Outcome) -> int | None:
    match outcome:
        case facts.PasswordChecked():
            return outcome.answer.tries_left
        case facts.CardFailed():
            return outcome.tries_left
        case facts.OldCardLookedUp():
            return outcome.standing.tries_left
        case facts.SocialCardRead():
            return outcome.pin_tries
        case _:
            return None


def _args(outcome: facts.Outcome) -> TextArgs:
    left = _tries_left(outcome)
    return {} if left is None else {"tries_left": left}


def _question(purpose: Purpose, outcome: facts.Outcome, deadline: str | None, moment: Moment) -> Question:
    return Question(
        prompt=moment.new_prompt(),
        purpose=purpose,
        digits=(SHORTEST, LONGEST),
        tries_left=_tries_left(outcome),
        deadline=deadline,
    )


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
