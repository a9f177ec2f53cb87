"""Opening a card for a job: bounded patience, and the proof that it is the insertion's card."""

from typing import Final, TypeVar

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.iso7816.device import Backend, Connection
from cardd.readers.facts import Cause
from cardd.readers.job import Job, Loss

T = TypeVar("T")

POWER_UP_PAUSE_S: Final = 0.1
IN_USE_PAUSE_S: Final = 0.05

_SILENT: Final = frozenset({Reason.CARD_MUTE, Reason.CARD_UNPOWERED})
_GONE: Final = frozenset({Reason.NO_CARD, Reason.CARD_REMOVED})


class Opener:
    """Connects to the card in one slot. Worker's thread only; every call may block for ever."""

    def __init__(self, backend: Backend, slot: str, *, exclusive: bool) -> None:
        self._backend = backend
        self._slot = slot
        self._exclusive = exclusive

    def open(self, job: Job[T]) -> Connection:
        """Connect to the job's card.

        A card that does not answer its power-up is powered up once more; a reader in use is asked again until the
        deadline. Raises CarddError: STALE_INSERTION for another card, CARD_REMOVED, CARD_MUTE, CARD_UNPOWERED,
        READER_IN_USE, TIMEOUT, what the backend says of reader and service; the job's `loss` and `silent` say what that
        means for the insertion.
        """
        connection = self._connect(job)
        try:
            job.waiting_for = None
            job.check()
            self._prove(connection, job)
        except CarddError:
            connection.disconnect(reset=False)
            raise
        return connection

    def _connect(self, job: Job[T]) -> Connection:
        powered_up_again = False
        while True:
            job.check()
            try:
                with job.entrance():
                    return self._backend.connect(self._slot, exclusive=self._exclusive)
            except CarddError as error:
                if error.reason is Reason.READER_IN_USE:
                    job.waiting_for = error
                    job.pause(IN_USE_PAUSE_S)
                elif error.reason in _SILENT and not powered_up_again:
                    powered_up_again = True
                    job.pause(POWER_UP_PAUSE_S)
                else:
                    raise _judged(error, job) from error
            except Exception as error:
                raise CarddError(Reason.READER_UNAVAILABLE, type(error).__name__) from error

    @staticmethod
    def _prove(connection: Connection, job: Job[T]) -> None:
        if connection.atr != job.insertion.atr:
            job.loss = Loss(Cause.EXCHANGED, answered=connection.atr)
            raise CarddError(Reason.STALE_INSERTION, "another card answered", insertion=job.insertion.id)


def _judged(error: CarddError, job: Job[T]) -> CarddError:
    """Note what a refused connection means for the insertion, and return what the caller is told."""
    if error.reason in _SILENT:
        job.silent = error.reason
    if error.reason in _GONE:
        job.loss = Loss(Cause.TRANSPORT_ERROR)
        return CarddError(Reason.CARD_REMOVED, error.detail)
    return error
