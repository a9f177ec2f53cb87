"""Activations for programs with an event loop: `async for step in Counter().activate_pharmacy(): …`."""

from collections.abc import AsyncIterator, Awaitable
from types import TracebackType
from typing import Self

from cardd.client.aio import Watch
from cardd.client.errors import CallError
from cardd.client.routes import Begun, Behind, Routes
from cardd.client.steps import FOLLOWED, Course, Ended, Instruction, Question, ended
from cardd.wire.activation import (
    ENDS,
    ActivationResult,
    ActivationStartParams,
    PromptAnswerParams,
)
from cardd.wire.events import EventsSubscribeParams
from cardd.wire.methods import ACTIVATION_CANCEL, ACTIVATION_GET, ACTIVATION_START, PROMPT_ANSWER

Told = Instruction | Question[Awaitable[bool]]
Step = Told | Ended


class Activation(Begun):
    """One activation: iterate over it once, from its beginning to `Ended`. It has a connection of its own meanwhile.

    A restart of the daemon in the middle goes on with the same activation. Iterating raises UnreachableError where
    there is no daemon at the beginning (or none within `reconnect.patience_s`), CallError for what the daemon refuses.
    Leaving the loop early leaves the activation as it is; `async with` then closes the connection.
    """

    def __init__(self, params: ActivationStartParams, behind: Behind) -> None:
        super().__init__(params, behind)
        self._watch: Watch | None = None

    async def __aiter__(self) -> AsyncIterator[Step]:
        """Begin it and yield its steps."""
        types, behind = EventsSubscribeParams(types=list(FOLLOWED)), self._behind
        watch = await Watch.begin(types, path=behind.path, program=behind.program, reconnect=behind.reconnect)
        self._watch = watch
        async with watch:
            started = await watch.call(ACTIVATION_START, self._params)
            self.id = started.activation
            async for step in self._steps(watch, started):
                yield step
            last = ended(await watch.call(ACTIVATION_GET, self._named(started.activation)))
        yield last

    async def cancel(self) -> ActivationResult:
        """End it, if the card centre has not been asked yet. Raises CallError(TOO_LATE) otherwise."""
        if self._watch is None or self.id is None:
            raise RuntimeError("this activation has not begun")
        return await self._watch.call(ACTIVATION_CANCEL, self._named(self.id))

    async def close(self) -> None:
        """Disconnect. The activation goes on."""
        if self._watch is not None:
            await self._watch.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _steps(self, watch: Watch, started: ActivationResult) -> AsyncIterator[Told]:
        if started.state in ENDS:
            return
        course: Course[Awaitable[bool]] = Course(started.activation, self._answer)
        for step in course.begun(watch.begun):
            yield step
        async for arrival in watch.events():
            if course.is_over(arrival.event):
                return
            if (told := course.take(arrival.event)) is not None:
                yield told

    async def _answer(self, params: PromptAnswerParams) -> bool:
        if self._watch is None:
            raise RuntimeError("this activation has not begun")
        try:
            await self._watch.call(PROMPT_ANSWER, params)
        except CallError as error:
            if error.reason != "NOT_FOUND":
                raise
            return False
        return True


class Counter(Routes[Activation]):
    """A counter whose activations are gone through with `async for`."""

    def activate(self, params: ActivationStartParams) -> Activation:
        """Return the activation that these parameters begin, to be iterated over with `async for`."""
        return Activation(params, self._behind)
