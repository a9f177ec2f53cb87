"""How far the commands of one card's stay in a reader have come: positions and status words, no data."""

from typing import Final

from cardd.readers.tap import Transmit

_GET_RESPONSE: Final = b"\x00\xc0"
_DONE: Final = b"\x90\x00"
_PROGRESS: Final = frozenset({0x61, 0x6C})
_KEPT: Final = 64


class Stay:
    """Commands of one insertion, counted from 1; GET RESPONSE belongs to the command before it.

    Written by the reader's worker alone, read from any thread. `header` (CLA INS) and `word` are of the last command;
    a word that has not come is empty. `odd` are the first words that say neither yes nor more: position, header, word.
    `first_visit` are the commands of the first work on the card, which is to find out what it is.
    """

    def __init__(self, insertion: str) -> None:
        self.insertion: Final = insertion
        self.commands = 0
        self.header = b""
        self.word = b""
        self.first_visit: int | None = None
        self.odd: Final[list[tuple[int, bytes, bytes]]] = []

    def visited(self) -> None:
        """Note that work on the card has ended."""
        if self.first_visit is None:
            self.first_visit = self.commands

    def following(self, transmit: Transmit) -> Transmit:
        """Return what transmits as before, and is followed."""

        def transmit_and_follow(command: bytes) -> bytes:
            header = command[:2]
            if header != _GET_RESPONSE:
                self.commands += 1
                self.header = header
            self.word = b""
            answer = transmit(command)
            self.word = word = answer[-2:]
            if word != _DONE and word and word[0] not in _PROGRESS and len(self.odd) < _KEPT:
                self.odd.append((self.commands, self.header, word))
            return answer

        return transmit_and_follow
