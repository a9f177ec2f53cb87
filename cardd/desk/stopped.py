"""Keys that a card has refused, by station.

A card counts failed external authentications and locks the key for good after a few. So one failure stops that key on
that station: a wrong PSAM then harms one card once, not every card of the day. And a card that said nothing to one may
have counted it: it is not shown that key again before somebody has put it in anew.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from cardd.base.clock import Clock, SystemClock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.desk.refusals import Instruction
from cardd.iso7816.status import SW, StatusError
from cardd.rules.keys import KeyName

OnStopped = Callable[[str, KeyName], None]

_SW1: Final = 0xFF00
_FAILED: Final = 0x6300
_LOOK_S: Final = 0.05
_SILENT_KEPT: Final = 256
"""More cards than all readers of a machine hold at once."""


def _nobody(station: str, key: KeyName) -> None:
    """Tell nobody."""


class StoppedKeys:
    """Which keys may not be used on which stations. Its methods may be called from any thread.

    `stopped` are those of an earlier run. `on_stopped` is told of each new one once, on the thread of the reader that
    met the refusal, before the refusal goes any further.
    """

    def __init__(
        self,
        on_stopped: OnStopped = _nobody,
        *,
        stopped: Iterable[tuple[str, KeyName]] = (),
        clock: Clock | None = None,
    ) -> None:
        self._on_stopped = on_stopped
        self._clock = clock or SystemClock()
        self._stopped = set(stopped)
        self._trials: dict[tuple[str, KeyName], float] = {}
        self._unanswered: deque[tuple[str, KeyName]] = deque(maxlen=_SILENT_KEPT)
        self._changed = threading.Condition()

    @contextmanager
    def trial(self, station: str, key: KeyName, deadline: float) -> Iterator[None]:
        """Prove a key to one card inside; its refusal stops the key there.

        One card of a station at a time, so that a wrong key, shown in two readers at once, fails on one card alone. A
        trial is over with its deadline (monotonic seconds), also where the reader hangs in it.

        Raises CarddError: KEY_STOPPED before anything is done, also where the card before this one refused it; TIMEOUT.
        """
        self._begin(station, key, deadline)
        try:
            yield
        except StatusError as error:
            if error.command.ins == Instruction.EXTERNAL_AUTHENTICATION and is_refusal(error.sw):
                self.stop(station, key)
            raise
        finally:
            self._end(station, key, deadline)

    @contextmanager
    def shown(self, stay: str, key: KeyName) -> Iterator[None]:
        """Send the one command inside that proves a key, to a card that lies in its reader since `stay` began.

        Raises CarddError(CARD_MUTE) before it is sent, where the card said nothing to one of that key since then.
        """
        with self._changed:
            silent = (stay, key) in self._unanswered
        if silent:
            raise CarddError(Reason.CARD_MUTE, f"it said nothing when {key} was proved: take it out and put it in anew")
        try:
            yield
        except CarddError:
            with self._changed:
                self._unanswered.append((stay, key))
            raise

    def check(self, station: str, key: KeyName) -> None:
        """Raise CarddError(KEY_STOPPED) if that key is stopped there."""
        with self._changed:
            stopped = (station, key) in self._stopped
        if stopped:
            raise CarddError(Reason.KEY_STOPPED, f"{key} is stopped on station {station}", key=str(key))

    def stop(self, station: str, key: KeyName) -> None:
        """Let nobody use that key there any more."""
        with self._changed:
            known = (station, key) in self._stopped
            self._stopped.add((station, key))
        if not known:
            self._on_stopped(station, key)

    def of(self, station: str) -> tuple[KeyName, ...]:
        """Return the stopped keys of a station."""
        with self._changed:
            return tuple(sorted(key for where, key in self._stopped if where == station))

    def lift(self, station: str, keys: Iterable[KeyName]) -> None:
        """Let keys be used again on a station, as an operator asked."""
        with self._changed:
            self._stopped -= {(station, key) for key in keys}

    def _begin(self, station: str, key: KeyName, deadline: float) -> None:
        while True:
            self.check(station, key)
            with self._changed:
                now = self._clock.monotonic()
                other = self._trials.get((station, key), now)
                if other <= now:
                    self._trials[station, key] = deadline
                    return
                if deadline <= now:
                    raise CarddError(Reason.TIMEOUT, f"{key} is being proved to another card of the station")
                self._changed.wait(min(other - now, deadline - now, _LOOK_S))

    def _end(self, station: str, key: KeyName, deadline: float) -> None:
        with self._changed:
            # a trial that outlived its time may have been followed by another
            if self._trials.get((station, key)) == deadline:
                del self._trials[station, key]
            self._changed.notify_all()


def is_refusal(sw: int) -> bool:
    """Tell whether a card has counted a try against the key, or has none left to count."""
    return sw & _SW1 == _FAILED or sw == SW.AUTHENTICATION_LOCKED
