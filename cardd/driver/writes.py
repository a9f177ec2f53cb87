"""Writes that are made once, though the driver's functions have no name for them.

A write whose end the caller was not told is taken up by the same call on the same card: what the card has already is
not written again. Where nobody can read what it has, the caller is told so once, and decides.
"""

import contextlib
import secrets
from collections.abc import Iterator

import msgspec

from cardd.base.errors import CarddError
from cardd.crypto.digest import sm3
from cardd.desk.card_desk import CardDesk
from cardd.desk.reading import Identity

Files = dict[str, dict[str, str]]

_Which = tuple[str, str | None, bytes]


class Writes:
    """Knows the writes of which callers have not been told what became of them. Event loop's thread only."""

    def __init__(self, cards: CardDesk) -> None:
        self._cards = cards
        self._untold: dict[_Which, str] = {}
        self._warned: set[str] = set()

    def former(self, client: str, card: Identity, files: Files) -> str | None:
        """Return the request of these very files on that card whose end the caller was not told, also of earlier days.

        What the caller was warned of is his to do again.
        """
        known = self._untold.get(_which(client, card, files)) or self._cards.open_write(card, files, client=client)
        return None if known in self._warned else known

    def warn(self, request: str) -> None:
        """Note that the caller was told that nobody knows."""
        self._warned.add(request)

    @contextlib.contextmanager
    def noted(self, client: str, card: Identity, files: Files, given: str | None) -> Iterator[str]:
        """Give the request under which files are written; it is forgotten where nothing was begun."""
        which = _which(client, card, files)
        request = self.former(client, card, files) or given or f"iWriteCard {secrets.token_hex(16)}"
        self._untold[which] = request
        try:
            yield request
        except CarddError:
            if self._cards.open_write(card, files, client=client) != request:
                self._untold.pop(which, None)
            raise

    def told(self, client: str, card: Identity, files: Files) -> None:
        """Forget a write whose end the caller was told."""
        self._untold.pop(_which(client, card, files), None)


def _which(client: str, card: Identity, files: Files) -> _Which:
    number = "" if card.number is None else card.number.disclose()
    return client, card.identification_code, sm3(msgspec.json.encode((number, files)))
