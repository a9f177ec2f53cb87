"""Several steps with one security module in one transaction, between which the caller does something else.

A purchase needs the module twice, before and after the card has paid, and nobody else's computation may come between.
The steps run on the module's own worker; the card's own commands stay on the card's.
"""

from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as LateError
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Final, Self, TypeVar

from cardd.base.clock import Clock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.readers.registry import Readers
from cardd.readers.worker import HeldChannel

T = TypeVar("T")

_LOOK_S: Final = 0.05
"""How often a waiting caller looks whether the module's work ended without it."""

_Step = Callable[[HeldChannel], None]


class Conversation:
    """One transaction on a module, open while the context is. For a card's worker thread, as `Readers.call_on`."""

    def __init__(self, readers: Readers, reader: str, *, clock: Clock, deadline: float) -> None:
        self._clock = clock
        self._deadline = deadline
        self._steps: SimpleQueue[_Step | None] = SimpleQueue()
        self._work = readers.begin_on(reader, self._serve, deadline=deadline)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """Let go of the module; it need not be waited for."""
        self._steps.put(None)

    def do(self, step: Callable[[HeldChannel], T]) -> T:
        """Do a step and return its result. Raises what it raises, and as `Readers.call_on` does."""
        future: Future[T] = Future()

        def serve(held: HeldChannel) -> None:
            try:
                future.set_result(step(held))
            except BaseException as error:  # noqa: BLE001 - the caller's thread is told, whatever it was
                future.set_exception(error)

        self._steps.put(serve)
        with self._work.waiting() as explain:
            while True:
                try:
                    return future.result(timeout=_LOOK_S)
                except LateError:
                    if self._work.ended:
                        self._work.result()
                    if self._clock.monotonic() >= self._deadline:
                        late = CarddError(Reason.TIMEOUT, "the security module's work was not done in time")
                        raise explain(late) from None

    def _serve(self, held: HeldChannel) -> None:
        """Do steps as they come, on the module's worker."""
        while True:
            try:
                step = self._steps.get(timeout=max(0.0, self._deadline - self._clock.monotonic()))
            except Empty:
                raise CarddError(Reason.TIMEOUT, "the purchase was not ended in time") from None
            if step is None:
                return
            step(held)
