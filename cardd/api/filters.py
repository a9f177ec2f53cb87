"""What a subscriber wants to hear of, and a memory for it: few types and readers come again and again."""

import fnmatch
from collections.abc import Sequence
from typing import Final

from cardd.base.structs import Struct
from cardd.journal.events import StoredEvent
from cardd.wire.events import short_type, whole_type

_REMEMBERED: Final = 4096


class Filter(Struct, frozen=True):
    """Globs on an event's type (short or whole name) and on its subject; an empty row of globs passes all."""

    types: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()

    def passes(self, stored: StoredEvent) -> bool:
        """Tell whether a subscriber wants the event."""
        names = (short_type(stored.type), whole_type(stored.type))
        return _fits(names, self.types) and _fits((stored.subject,), self.readers)


class Judge:
    """Says what a filter says, and remembers it."""

    def __init__(self) -> None:
        self._known: dict[tuple[Filter, str, str], bool] = {}

    def passes(self, wanted: Filter, stored: StoredEvent) -> bool:
        """Tell whether a subscriber wants the event."""
        key = (wanted, stored.type, stored.subject)
        verdict = self._known.get(key)
        if verdict is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            verdict = self._known[key] = wanted.passes(stored)
        return verdict


def _fits(names: Sequence[str], globs: Sequence[str]) -> bool:
    if not globs:
        return True
    # a reader's own name may hold brackets, which a glob would take for a set of characters
    return any(name == glob or fnmatch.fnmatchcase(name, glob) for glob in globs for name in names)
