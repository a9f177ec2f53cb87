"""Storing a move: nothing goes on without its record, so a journal that takes nothing now is waited for."""

from collections.abc import Callable, Sequence
from typing import Final

import structlog

from cardd.activation.case import Case, to_row
from cardd.activation.course import delayed
from cardd.activation.live import Live
from cardd.activation.ports import ActivationJournal
from cardd.activation.timing import sleep
from cardd.base.clock import Clock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Struct
from cardd.journal.events import NewEvent

_JOURNAL_AWAY: Final = frozenset({Reason.JOURNAL_FULL, Reason.JOURNAL_UNAVAILABLE})

log = structlog.get_logger(__name__)


class Storing(Struct, frozen=True):
    """Stores moves. `pause_s` says how long is waited after so many attempts."""

    journal: ActivationJournal
    clock: Clock
    pause_s: Callable[[int], float]

    async def store(self, live: Live, case: Case, events: Sequence[NewEvent]) -> Case:
        """Store a transition, and return it as stored: with how late that was, if it was.

        Raises CarddError where the journal is there and does not take it.
        """
        tries, began = 0, self.clock.monotonic()
        while True:
            try:
                await self.journal.record(*events, activation=to_row(case))
            except CarddError as error:
                if error.reason not in _JOURNAL_AWAY:
                    raise
                log.error("activation.not_stored", activation=case.id, reason=str(error.reason))  # noqa: TRY400
                live.waiting = delayed(case, error.reason, self._ms_since(began)).turns[-1]
                await sleep(self.clock, self.pause_s(tries))
                case = delayed(case, error.reason, self._ms_since(began))
                tries += 1
            else:
                live.waiting = None
                return case

    def _ms_since(self, began: float) -> int:
        return round((self.clock.monotonic() - began) * 1000)
