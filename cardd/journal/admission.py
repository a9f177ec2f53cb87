"""What the journal takes when space runs out: what is open may come to its end, nothing new begins."""

import time
from typing import Final

from cardd.journal.database import Database
from cardd.journal.encoding import PreparedCall
from cardd.journal.reserve import Reserve, Space

_TRY_AGAIN_S: Final = 1.0


class Admission:
    """Decides by how much space there is. The journal's thread."""

    def __init__(self, database: Database, reserve: Reserve | None) -> None:
        """Take everything, always, where there is no reserve."""
        self._database = database
        self._reserve = reserve
        self._tried = 0.0

    @property
    def space(self) -> Space:
        """How much room there is."""
        return Space.AMPLE if self._reserve is None else self._reserve.space

    def give_way(self) -> bool:
        """Give up more of the reserve after a commit found no space; False where none is left."""
        return self._reserve is not None and self._reserve.release()

    def recover(self) -> None:
        """Set space aside again where there is some."""
        if self._reserve is not None and self.space is not Space.AMPLE:
            self._tried = time.monotonic()
            self._reserve.make()

    def look_again(self) -> None:
        """Recover, if that was not tried within a second."""
        if time.monotonic() - self._tried >= _TRY_AGAIN_S:
            self.recover()

    def takes(self, call: PreparedCall) -> bool:
        """Tell whether a call is taken now. Taking away old events always is: it makes space."""
        match self.space:
            case Space.AMPLE:
                return True
            case Space.TIGHT:
                return not self._begins(call)
            case Space.CLOSING:
                return call.also is not None or not call.events or self._goes_on(call)

    def _begins(self, call: PreparedCall) -> bool:
        activation, deed = call.activation, call.deed
        if activation is not None and activation.open and activation.id not in self._database.open_ids:
            return True
        return deed is not None and deed.open and self._database.deed(deed.client, deed.request) is None

    def _goes_on(self, call: PreparedCall) -> bool:
        return (call.activation is not None or call.deed is not None) and not self._begins(call)
