"""Who is in the way of work that does not get at its card: other programs, where the backend can find that out."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.iso7816.device import Backend, Scout
from cardd.readers.worker import Worker

E = TypeVar("E", bound=BaseException)

IN_VAIN: Final = frozenset({Reason.TIMEOUT, Reason.READER_UNAVAILABLE})
"""What work is told that waited in vain, for its card or behind other work."""


class Obstacles:
    """Which worker waits for which, and what the backend knows of those who keep it waiting."""

    def __init__(self, backend: Backend) -> None:
        self._scout = backend if isinstance(backend, Scout) else None
        self._waits: dict[Worker, Worker] = {}

    @contextmanager
    def waiting(self, caller: Worker | None, worker: Worker) -> Iterator[None]:
        """Note that a worker's thread waits for another's work, where it is a worker's at all."""
        if caller is None:
            yield
            return
        self._waits[caller] = worker
        try:
            yield
        finally:
            self._waits.pop(caller, None)

    def before(self, worker: Worker, error: BaseException) -> Worker | None:
        """Return at whose card other programs may be that made work fail: the worker's, or that of one it waits for."""
        late = isinstance(error, CarddError) and error.reason in IN_VAIN
        if not late or self._scout is None:
            return None
        return next((one for one in (worker, self._waits.get(worker)) if one is not None and one.entering), None)

    def explain(self, error: E, held_up: Worker | None, reader: str) -> E | CarddError:
        """Return READER_IN_USE with that reader's name if others are at its card, else the error.

        May take a quarter of a second.
        """
        found = None if held_up is None or self._scout is None else self._scout.in_the_way(held_up.slot)
        if found is None:
            return error
        told = CarddError(found.reason, f"{reader}: {found.detail}")
        told.facts = {**found.facts, "reader": reader}
        return told

    def ask(self, error: CarddError, held_up: Worker, reader: str, then: Callable[[CarddError], None]) -> None:
        """Explain an error on a thread of its own, and call with what is found."""
        threading.Thread(
            target=lambda: then(self.explain(error, held_up, reader)), name=f"obstacle {reader}", daemon=True
        ).start()
