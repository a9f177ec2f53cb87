"""Which version of its keys a kind of card was found to use: kept, so that the next such card is asked rightly at once.

Only internal authentication finds it out. It has no counter; external authentication has one that kills cards.
"""

import threading

Kin = tuple[str, str]
"""Cards that were made alike: their generation, and the organisation that initialised them."""


class KeyVersions:
    """What was found, by kind of card. Any thread."""

    def __init__(self) -> None:
        self._found: dict[Kin, int] = {}
        self._lock = threading.Lock()

    def of(self, kin: Kin) -> int | None:
        """Return the version (1 to 3) found last on such a card, None where the cards chose rightly by themselves."""
        with self._lock:
            return self._found.get(kin)

    def keep(self, kin: Kin, version: int | None) -> None:
        """Keep what a card has proved."""
        with self._lock:
            if version is None:
                self._found.pop(kin, None)
            else:
                self._found[kin] = version
