"""Waiting for something that may never answer, and going on without it."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeVar

T = TypeVar("T")

PATIENCE_S: Final = 4.0
"""How long the daemon, or the smart-card service, may take."""


def within(seconds: float, work: Callable[[], T]) -> T:
    """Return what work returns or raise what it raises; TimeoutError if it takes longer: it is left behind then."""
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except Exception as error:  # noqa: BLE001 - carried over to who waits
            outcome.set_exception(error)

    # a thread of an executor would be waited for at the end
    threading.Thread(target=run, daemon=True).start()
    return outcome.result(seconds)
