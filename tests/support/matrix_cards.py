"""Cards that can be torn out at any of their commands, and that keep a ledger of everything they were asked."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from cardsim.card.image import CardImage, take_image
from cardsim.card.make import make_chip
from cardsim.persona import load_persona

VERIFY, CHANGE_PIN, RELOAD_PIN, EXTERNAL_AUTHENTICATE, UPDATE_RECORD = 0x20, 0x5E, 0x24, 0x82, 0xDC
PIN_SETTING: Final = frozenset({CHANGE_PIN, RELOAD_PIN})
WRITING: Final = frozenset({UPDATE_RECORD, 0xD6, 0xD2, 0xD0, 0xE2, 0x2C, 0x16, 0x1E, *PIN_SETTING})
"""Instructions that change what a card holds; counters of tries aside."""

_HEADER: Final = 5


class Moment(StrEnum):
    """When in a command the card is torn out."""

    BEFORE = "before"
    """The command does not reach it."""
    WITHIN = "within"
    """Its power goes in the middle of its writing."""
    AFTER = "after"
    """It has done all, and the answer is lost."""


@dataclass(frozen=True)
class Tear:
    """Tear the card out at its n-th command (from 1); `spare` is how many bytes it still gets to write."""

    nth: int
    moment: Moment
    spare: int = 0


class Plastic:
    """One physical card. `exchanges` is every command that reached it, with its answer (empty: it was lost)."""

    def __init__(self, persona: str | Path) -> None:
        self.chip = make_chip(load_persona(persona))
        self._card = self.chip.on()
        self.exchanges: list[tuple[bytes, bytes]] = []
        self.asked = 0
        """How many commands were sent to it, also those that a tear kept away."""
        self.torn: bytes | None = None
        """The command at which it was torn out, or what was going on elsewhere."""
        self._tear: Tear | None = None
        self._pull: Callable[[], None] = lambda: None
        self.listener: Callable[[bytes], None] = lambda _: None

    def tear_at(self, tear: Tear, pull: Callable[[], None]) -> None:
        """Have it torn out once: `pull` takes it out of its reader."""
        self._tear, self._pull = tear, pull

    def tear_now(self, why: bytes, pull: Callable[[], None]) -> None:
        """Have it torn out at once, between two commands; `torn` tells why."""
        self.torn = why
        pull()

    def power_on(self) -> bytes:
        return self._card.power_on()

    def reset(self) -> bytes:
        return self._card.reset()

    def power_off(self) -> None:
        self._card.power_off()

    def transmit(self, command: bytes) -> bytes:
        self.listener(command)
        self.asked += 1
        tear = self._tear
        if tear is None or tear.nth != self.asked:
            return self._exchange(command)
        self._tear, self.torn = None, command
        if tear.moment is Moment.BEFORE:
            self._pull()
            return b""
        if tear.moment is Moment.WITHIN:
            self.chip.machine.memory.cut_after(tear.spare)
        self._exchange(command)
        # the answer is lost on its way
        self._pull()
        return b""

    def _exchange(self, command: bytes) -> bytes:
        answer = self._card.transmit(command)
        self.exchanges.append((command, answer))
        return answer

    # -- what it knows of itself

    @property
    def image(self) -> CardImage:
        """What it remembers."""
        return take_image(self.chip.machine)

    def presented(self) -> list[str]:
        """Return the PINs that were presented to it (VERIFY), in their order."""
        return [sent[_HEADER:].hex() for sent, _ in self.exchanges if sent[1] == VERIFY and len(sent) > _HEADER]

    def sent(self, instructions: Collection[int]) -> list[bytes]:
        """Return the headers of the commands of these kinds that reached it."""
        return [sent[:4] for sent, _ in self.exchanges if sent[1] in instructions]

    @property
    def pin(self) -> tuple[str, int]:
        """The PIN that it has now, and the tries that are left."""
        held = next(one for one in self.image["applications"].values() if one["pin"])
        return held["pin"], held["pin_tries"]

    def failed_authentications(self) -> int:
        """Return how many external authentications cost it a try."""
        return sum(1 for sent, got in self.exchanges if sent[1] == EXTERNAL_AUTHENTICATE and got[:1] == b"\x63")

    def holds(self, application: str, file: str, record: str) -> bool:
        """Tell whether a file has a record that begins with these bytes (hex)."""
        records = self.image["applications"][application]["files"][file]
        return any(held.startswith(record.lower()) for held in records)
