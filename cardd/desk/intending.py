"""Something made durable while a card waits in its power: from the worker's thread, by the event loop's."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason

INTEND_S: Final = 5.0
"""How long a card waits for its intent to be on the disk; longer, and nothing is done to it."""


def wait_for(
    loop: asyncio.AbstractEventLoop, record: Callable[[], Coroutine[object, object, None]], timeout_s: float = INTEND_S
) -> None:
    """Have the event loop do what `record` makes, and return when that is done. Never on the loop's own thread.

    Raises what it raises; CarddError(JOURNAL_UNAVAILABLE) when it takes longer, and it is cancelled then.
    """
    recorded = asyncio.run_coroutine_threadsafe(record(), loop)
    try:
        recorded.result(timeout=timeout_s)
    except TimeoutError:
        recorded.cancel()
        raise CarddError(Reason.JOURNAL_UNAVAILABLE, "the journal did not answer in time") from None


def at_once() -> None:
    """Have nothing on record before: whoever asks has seen to that."""


@contextmanager
def preparing() -> Iterator[None]:
    """Have what fails within say that the one command which counts was not sent: the fact `sent` is False."""
    try:
        yield
    except CarddError as error:
        facts = {**error.facts, "sent": False}
        told = CarddError(error.reason, error.detail, retry_after_ms=error.retry_after_ms, **facts)
        raise told.in_words(error.text_code) from error


def was_kept_back(error: CarddError) -> bool:
    """Tell whether it is known that what was intended was never sent to the card."""
    return error.facts.get("sent") is False
