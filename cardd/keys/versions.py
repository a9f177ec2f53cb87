"""Which version of its keys a kind of card was found to use: kept, so that the next such card is asked rightly at once.

Only internal authentication finds it out. It has no counter; external authentication has one that kills cards. What
numbers cards have for keys of which no source prints the number is not found out at all: somebody who knows says it.
"""

import threading
from collections.abc import Mapping

from cardd.rules.keys import KEYS, KeyName

Kin = tuple[str, str]
"""Cards that were made alike: their generation, and the organisation that initialised them."""


class KeyVersions:
    """What was found, by kind of card, and what was said, of all. Any thread."""

    def __init__(self) -> None:
        self._found: dict[Kin, int] = {}
        self._kids: Mapping[KeyName, int] = {}
        self._lock = threading.Lock()

    def of(self, kin: Kin) -> int | None:
        """Return the version (1 to 3) found last on such a card, None where the cards chose rightly by themselves."""
        with self._lock:
            return self._found.get(kin)

    def number(self, kids: Mapping[KeyName, int]) -> None:
        """Take the identifiers of keys for which the rule has a guess only."""
        self._kids = dict(kids)

    def kid(self, key: KeyName) -> int:
        """Return a key's identifier on cards: P2 of EXTERNAL AUTHENTICATION (LD/T 32.9 annex B)."""
        return self._kids.get(key, KEYS[key].kid)

    def keep(self, kin: Kin, version: int | None) -> None:
        """Keep what a card has proved."""
        with self._lock:
            if version is None:
                self._found.pop(kin, None)
            else:
                self._found[kin] = version
