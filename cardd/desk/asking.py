"""Questions to the holder of a card, between the jobs on it: on record, and answered by whoever has the right to.

All of it on the event loop's thread. What was typed is in memory only, and is handed over once.
"""

import asyncio
import secrets
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from cardd.base.clock import Clock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.secret import Secret
from cardd.base.structs import Struct
from cardd.desk.prompts import LONGEST, SHORTEST, Prompts, Purpose
from cardd.desk.reception import CardGone, Notice, Reception
from cardd.journal.events import Json, NewEvent, StoredEvent
from cardd.journal.store import Journal
from cardd.readers.insertion import Insertion

PERSON_S: Final = 120.0
"""How long a person may take to type a password."""

_ENDS: Final[Mapping[str, Reason]] = MappingProxyType(
    {"cancelled": Reason.PIN_CANCELLED, "deadline": Reason.PIN_TIMEOUT, "card_removed": Reason.CARD_REMOVED}
)


class Question(Struct, frozen=True):
    """What a holder is asked for: to whom the card belongs is nobody's business here.

    `request` is the client's name for what it asked for, so that it knows its own prompts.
    """

    insertion: Insertion
    purpose: Purpose
    method: str
    tries_left: int | None = None
    request: str | None = None


class _Waiting(Struct, frozen=True):
    question: Question
    cause: "asyncio.Future[str]"
    closed: "asyncio.Future[None]"


class Asking:
    """The open questions about cards that clients work with."""

    def __init__(self, journal: Journal, *, clock: Clock, person_s: float = PERSON_S) -> None:
        self._journal = journal
        self._clock = clock
        self._person_s = person_s
        self._prompts = Prompts()
        self._waiting: dict[str, _Waiting] = {}

    def listen(self, reception: Reception) -> None:
        """Give up a question as soon as its card is gone."""
        reception.subscribe(self._notice)

    async def ask(self, question: Question) -> Secret:
        """Open a prompt and return what was typed.

        Raises CarddError: PIN_CANCELLED, PIN_TIMEOUT, CARD_REMOVED; what the journal raises, then nothing is asked.
        """
        prompt = secrets.token_hex(16)
        loop = asyncio.get_running_loop()
        waiting = _Waiting(question, loop.create_future(), loop.create_future())
        await self._journal.record(self._opened(prompt, question))
        self._prompts.open(prompt, prompt, question.purpose)
        self._waiting[prompt] = waiting
        timer = self._clock.call_later(self._person_s, lambda: self._end(prompt, "deadline"))
        cause = "over"
        try:
            cause = await waiting.cause
        finally:
            timer.cancel()
            del self._waiting[prompt]
            typed = self._prompts.take(prompt, question.purpose)
            self._prompts.forget(prompt)
            recorded = self._journal.record(_closed(prompt, question, cause))
            recorded.add_done_callback(lambda done: _pass_on(done, waiting.closed))
        await waiting.closed
        if typed is None:
            raise CarddError(_ENDS[cause], "nothing was typed")
        return typed

    def knows(self, prompt: str) -> bool:
        """Tell whether a prompt is one of these."""
        return prompt in self._waiting

    async def answer(self, prompt: str, pin: Secret | None) -> None:
        """Give a prompt its digits, or None to cancel it; returns when that is on record.

        Raises CarddError: NOT_FOUND for a prompt that is not open, PIN_LENGTH (the prompt stays open).
        """
        self._prompts.answer(prompt, pin)
        waiting = self._waiting[prompt]
        self._end(prompt, "cancelled" if pin is None else "answered")
        await asyncio.shield(waiting.closed)

    def _notice(self, notice: Notice) -> None:
        if isinstance(notice, CardGone):
            for prompt, waiting in list(self._waiting.items()):
                if waiting.question.insertion.id == notice.insertion.id:
                    self._end(prompt, "card_removed")

    def _end(self, prompt: str, cause: str) -> None:
        waiting = self._waiting.get(prompt)
        if waiting is not None and not waiting.cause.done():
            self._prompts.close(prompt)
            waiting.cause.set_result(cause)

    def _opened(self, prompt: str, question: Question) -> NewEvent:
        deadline = self._clock.now() + timedelta(seconds=self._person_s)
        return _event(
            "prompt.opened",
            question,
            {
                "prompt": prompt,
                "purpose": str(question.purpose),
                "digits": [SHORTEST, LONGEST],
                "tries_left": question.tries_left,
                "deadline": deadline.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "text": {"code": str(question.purpose), "args": {}},
            },
        )


def _closed(prompt: str, question: Question, cause: str) -> NewEvent:
    return _event("prompt.closed", question, {"prompt": prompt, "purpose": str(question.purpose), "cause": cause})


def _event(kind: str, question: Question, data: Mapping[str, Json]) -> NewEvent:
    insertion = question.insertion
    asked: dict[str, Json] = {"station": insertion.station, "method": question.method, "request": question.request}
    return NewEvent(kind, insertion.reader, {**data, **asked}, insertion=insertion.id)


def _pass_on(done: "asyncio.Future[tuple[StoredEvent, ...]]", closed: "asyncio.Future[None]") -> None:
    """Tell whoever waits for a prompt's end that it is on record, or why it is not."""
    error = None if done.cancelled() else done.exception()
    if closed.cancelled():
        return
    if error is not None:
        closed.set_exception(error)
        # read, so that asyncio does not complain where whoever asked is gone
        closed.exception()
    else:
        closed.set_result(None)
