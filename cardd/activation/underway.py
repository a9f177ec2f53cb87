"""Work on a card of one station, as far as it has come: for the account of an activation."""

from typing import Final

from cardd.base.clock import Clock
from cardd.readers.stay import Stay
from cardd.wire.incident import CardWork, OddWord


class Underway:
    """Follows one stay from when work on it began. Event loop's thread only; the stay goes on beside it."""

    def __init__(self, stay: Stay, clock: Clock) -> None:
        self.stay: Final = stay
        self._clock = clock
        self._before = stay.commands
        self._began = clock.monotonic()
        self._ended: float | None = None

    def over(self) -> None:
        """Note that the work has ended; what follows may begin more on the same stay."""
        self._ended = self._clock.monotonic()

    def so_far(self) -> CardWork:
        """Return which commands it was, the last one's header and word, and how long it has taken."""
        stay, began = self.stay, self._before
        ended = self._clock.monotonic() if self._ended is None else self._ended
        worked = stay.commands > began
        odd = tuple(
            OddWord(n=number, command=header.hex().upper(), word=word.hex().upper())
            for number, header, word in tuple(stay.odd)
            if number > began and len(header) == len(word) == 2  # noqa: PLR2004 - class and instruction, a word
        )
        return CardWork(
            first=began + 1,
            last=stay.commands,
            command=stay.header.hex().upper() if worked else None,
            word=stay.word.hex().upper() or None if worked else None,
            odd=odd,
            ms=max(round((ended - self._began) * 1000), 0),
        )
