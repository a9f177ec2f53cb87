"""An open card as a job may use it: checked around every exchange, and dead after the first failure."""

from collections.abc import Callable
from typing import Final, TypeVar

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.iso7816.device import Connection
from cardd.readers.facts import Cause
from cardd.readers.job import AnyJob, Job, Loss
from cardd.readers.tap import Transmit

T = TypeVar("T")

_ANSWER_MIN: Final = 2

# What a failed exchange means for the card. Reasons not named here (the reader is in use, a command that cannot be
# sent) say nothing about the card and leave the link as it is.
_LOSSES: Final = {
    Reason.NO_CARD: Cause.TRANSPORT_ERROR,
    Reason.CARD_REMOVED: Cause.TRANSPORT_ERROR,
    Reason.CARD_MUTE: Cause.TRANSPORT_ERROR,
    Reason.CARD_UNPOWERED: Cause.TRANSPORT_ERROR,
    Reason.READER_UNAVAILABLE: Cause.TRANSPORT_ERROR,
    Reason.PCSC_UNAVAILABLE: Cause.SERVICE_DOWN,
    Reason.PCSC_DENIED: Cause.SERVICE_DOWN,
}
_CARD_GONE: Final = frozenset({Reason.NO_CARD, Reason.CARD_REMOVED, Reason.CARD_MUTE, Reason.CARD_UNPOWERED})


class Link:
    """One connection, lent to one job at a time. Worker's thread only.

    After a failed exchange the next card may answer on the old handle, so the first failure is every further
    exchange's answer. `loss` says what that failure means for the insertion. `was_reset`: the last transaction ended
    with a reset. `transmit` is how commands travel where that is not the connection's own way: past a tap.
    """

    def __init__(self, connection: Connection, job: Job[T], transmit: Transmit | None = None) -> None:
        self.connection: Final = connection
        self._transmit = transmit or connection.transmit
        self.broken: CarddError | None = None
        self.loss: Loss | None = None
        self.was_reset = False
        self._begun = False
        self._job: AnyJob = job

    def lend(self, job: Job[T]) -> None:
        """Serve another job from now on."""
        self._job = job

    def transmit(self, command: bytes) -> bytes:
        """Send one command. Raises CARD_REMOVED for a lost card, or why the job must not go on."""
        answer = self._guarded(lambda: self._transmit(command))
        if len(answer) < _ANSWER_MIN:
            raise self._lost(CarddError(Reason.CARD_REMOVED, f"an answer of {len(answer)} bytes"))
        return answer

    def control(self, code: int, data: bytes) -> bytes:
        """Send a command to the reader itself. What it refuses says nothing about the card."""
        if self.broken is not None:
            raise self.broken
        self._still_wanted()
        answer = self.connection.control(code, data)
        self._still_wanted()
        return answer

    def begin(self) -> None:
        """Begin a transaction."""
        with self._job.entrance():
            self._guarded(self._begin)

    def end(self, *, reset: bool = False) -> None:
        """End the transaction, if one was begun. A lost card has none to end; a link that breaks here is done with.

        Work that was stopped has one to end like any other: its card is as open as the work had got.
        """
        begun, self._begun = self._begun, False
        if not begun or self.loss is not None:
            return
        try:
            self.connection.end(reset=reset)
            self.was_reset = reset
        except Exception as error:  # noqa: BLE001 - the work is done; the next one begins with a fresh connection
            self.broken = CarddError(Reason.CARD_REMOVED, f"the transaction did not end: {type(error).__name__}")

    def _begin(self) -> None:
        self.connection.begin()
        self._begun = True

    def _guarded(self, exchange: Callable[[], T]) -> T:
        if self.broken is not None:
            raise self.broken
        self._still_wanted()
        try:
            value = exchange()
        except CarddError as error:
            if error.reason in _LOSSES:
                raise self._lost(error) from error
            raise
        except Exception as error:
            raise self._lost(CarddError(Reason.CARD_REMOVED, type(error).__name__)) from error
        # An answer after the end is no answer: nobody knows which card gave it.
        self._still_wanted()
        return value

    def _still_wanted(self) -> None:
        try:
            self._job.check()
        except CarddError as error:
            self.broken = error
            raise

    def _lost(self, error: CarddError) -> CarddError:
        """Break the link and return what the caller is told."""
        self.loss = Loss(_LOSSES[error.reason])
        gone = error.reason in _CARD_GONE
        self.broken = CarddError(Reason.CARD_REMOVED, error.detail or str(error.reason)) if gone else error
        return self.broken
