"""An activation as a program goes through it: what is to be shown, what is asked for, and how it ended."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Generic, TypeVar

import msgspec

from cardd.base.structs import Hidden, Struct
from cardd.client.errors import ProtocolError
from cardd.wire.activation import ENDS, ActivationResult, Outcome, PromptAnswerParams, State
from cardd.wire.base import Text
from cardd.wire.event_data import ActivationStep, PromptOpened
from cardd.wire.events import Event, EventsSubscribeResult, short_type

T = TypeVar("T")
Sent = TypeVar("Sent")

FOLLOWED: Final = ("activation.*", "prompt.opened")
"""The types of event that an activation's steps are made of."""

_END_EVENTS: Final = frozenset(f"activation.{state}" for state in ENDS)


class Step(Struct, frozen=True):
    """What every step has: `text` is for the clerk, `{"en": …, "zh-CN": …}`."""

    activation: str
    state: State
    text: Text


class Instruction(Step, frozen=True):
    """Something to show: which card now, what is being done. `deadline` is RFC 3339, None where there is none."""

    code: str
    deadline: str | None


class Question(Step, Generic[Sent], frozen=True):
    """Digits are wanted from the holder: `answer` them, or say with `refuse` that none will come.

    `purpose` is old_card_password, social_pin or new_pin; `digits` the fewest and the most. With the asyncio client
    both are awaited. They give False where the prompt is not open any more, as after a restart: the next step says
    what is. They raise CallError(PIN_LENGTH): ask again.
    """

    prompt: str
    purpose: str
    digits: Sequence[int]
    tries_left: int | None
    deadline: str | None
    send: Hidden[Callable[[PromptAnswerParams], Sent]]

    def answer(self, pin: str) -> Sent:
        """Send what the holder typed. What comes of it is the next step."""
        return self.send(PromptAnswerParams(prompt=self.prompt, pin=pin))

    def refuse(self) -> Sent:
        """Say that the holder will not type anything."""
        return self.send(PromptAnswerParams(prompt=self.prompt, cancel=True))


class Ended(Step, frozen=True):
    """The end, the last step: `outcome` of a completed activation, else `reason` where there is one.

    `result` has holder, cards, visit and receipt, whole where a purpose was given and granted.
    """

    outcome: Outcome | None
    reason: str | None
    result: ActivationResult


class Course(Generic[Sent]):
    """Makes steps of what is told about one activation. `send` is how its questions are answered."""

    def __init__(self, activation: str, send: Callable[[PromptAnswerParams], Sent]) -> None:
        self._activation = activation
        self._send = send
        self._state = State.WAITING_OLD_CARD
        self._text: Text = {}

    def begun(self, watch: EventsSubscribeResult) -> Iterator[Instruction | Question[Sent]]:
        """Yield how it stood when the watch began, nothing where it began afterwards."""
        views = watch.snapshot.activations if watch.snapshot else ()
        for prompt, state in ((view.prompt, view.state) for view in views if view.activation == self._activation):
            if prompt is None:
                continue
            yield self._instruction(state, prompt.code, prompt.text, prompt.deadline)
            if prompt.prompt is not None:
                purpose, digits = prompt.purpose or "", prompt.digits or ()
                yield self._question(prompt.prompt, purpose, digits, prompt.tries_left, prompt.deadline)

    def take(self, event: Event) -> Instruction | Question[Sent] | None:
        """Return what an event tells, None where it is no step of this activation. Raises ProtocolError."""
        if event.correlationid != self._activation:
            return None
        match short_type(event.type):
            case "activation.step":
                step = _data(event, ActivationStep)
                return self._instruction(step.state, step.prompt.code, step.prompt.text, step.deadline)
            case "prompt.opened":
                asked = _data(event, PromptOpened)
                return self._question(asked.prompt, asked.purpose, asked.digits, asked.tries_left, asked.deadline)
            case _:
                return None

    def is_over(self, event: Event) -> bool:
        """Tell whether an event is this activation's end."""
        return event.correlationid == self._activation and short_type(event.type) in _END_EVENTS

    def _instruction(self, state: State, code: str, text: Text, deadline: str | None) -> Instruction:
        self._state, self._text = state, text
        return Instruction(activation=self._activation, state=state, text=text, code=code, deadline=deadline)

    def _question(
        self, prompt: str, purpose: str, digits: Sequence[int], tries_left: int | None, deadline: str | None
    ) -> Question[Sent]:
        return Question(
            activation=self._activation,
            state=self._state,
            text=self._text,
            prompt=prompt,
            purpose=purpose,
            digits=digits,
            tries_left=tries_left,
            deadline=deadline,
            send=self._send,
        )


def ended(result: ActivationResult) -> Ended:
    """Return the last step of an activation that is over."""
    return Ended(
        activation=result.activation,
        state=result.state,
        text=result.text or {},
        outcome=result.outcome,
        reason=result.reason,
        result=result,
    )


def _data(event: Event, kind: type[T]) -> T:
    try:
        return msgspec.convert(event.data, kind)
    except msgspec.ValidationError as fault:
        raise ProtocolError(f"the event {short_type(event.type)} cannot be read: {fault}") from None
