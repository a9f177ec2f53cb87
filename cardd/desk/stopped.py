"""Keys that a card has refused, by station.

A card counts failed external authentications and locks the key for good after a few. So one failure stops that key on
that station: a wrong PSAM then harms one card once, not every card of the day.
"""

import threading
from collections.abc import Callable, Iterable

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.rules.keys import KeyName

OnStopped = Callable[[str, KeyName], None]


def _nobody(station: str, key: KeyName) -> None:
    """Tell nobody."""


class StoppedKeys:
    """Which keys may not be used on which stations. Its methods may be called from any thread.

    `on_stopped` is told of each key once, on the thread of the reader that met the refusal: it hands over and returns.
    """

    def __init__(self, on_stopped: OnStopped = _nobody, *, stopped: Iterable[tuple[str, KeyName]] = ()) -> None:
        self._on_stopped = on_stopped
        self._stopped = set(stopped)
        self._lock = threading.Lock()

    def check(self, station: str, key: KeyName) -> None:
        """Raise CarddError(KEY_STOPPED) if that key is stopped there."""
        with self._lock:
            stopped = (station, key) in self._stopped
        if stopped:
            raise CarddError(Reason.KEY_STOPPED, f"{key} is stopped on station {station}", key=str(key))

    def stop(self, station: str, key: KeyName) -> None:
        """Let nobody use that key there any more."""
        with self._lock:
            known = (station, key) in self._stopped
            self._stopped.add((station, key))
        if not known:
            self._on_stopped(station, key)

    def of(self, station: str) -> tuple[KeyName, ...]:
        """Return the stopped keys of a station."""
        with self._lock:
            return tuple(sorted(key for where, key in self._stopped if where == station))

    def clear(self, station: str) -> tuple[KeyName, ...]:
        """Lift every stop of a station, as an operator asked, and return the keys that were stopped."""
        lifted = self.of(station)
        with self._lock:
            self._stopped = {(where, key) for where, key in self._stopped if where != station}
        return lifted
