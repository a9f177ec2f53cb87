"""The cards of a laboratory: a name is one physical card, which keeps what was done to it wherever it lies."""

import threading
import time
from collections.abc import Sequence
from functools import partial

import msgspec

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Struct
from cardsim.card.base import VirtualCard
from cardsim.card.chip import Chip
from cardsim.card.image import CardImage, take_image
from cardsim.card.make import make_chip, make_twin
from cardsim.fault_list import AnyFault
from cardsim.faults import Faults, Sleep
from cardsim.persona import Persona


class _Card(Struct, frozen=True):
    persona: Persona
    chip: Chip
    lock: threading.Lock = msgspec.field(default_factory=threading.Lock)


class Drawer:
    """Physical cards by name; `sleep` is how slow ones take their time."""

    def __init__(self, sleep: Sleep = time.sleep) -> None:
        self._cards: dict[str, _Card] = {}
        self._sleep = sleep

    def provide(self, name: str, persona: Persona) -> None:
        """Have a card of that name: the one that is there, or a new one from the persona.

        Raises DocumentError for a persona that fits no card, CarddError INVALID where the name is another persona's.
        """
        card = self._cards.get(name)
        if card is None:
            self.make(name, persona)
        elif card.persona.path != persona.path:
            raise CarddError(
                Reason.INVALID,
                f"`{name}` is already a card of {card.persona.path.name}: use another name, or make it a fresh card",
            )

    def make(self, name: str, persona: Persona) -> None:
        """Make a new card and give it the name; the card that had it is thrown away."""
        self._cards[name] = _Card(persona, make_chip(persona, sleep=self._sleep))

    def take(self, name: str, interface: str, faults: Sequence[AnyFault] = ()) -> VirtualCard:
        """Return the card of that name as it is seen through `contact` or `contactless`.

        `faults` are wrong with it as long as it is seen so, beside its own. Raises CarddError NOT_FOUND for a name
        nobody has given, INVALID for an interface that the card has not and a fault that it cannot have.
        """
        card = self._find(name)
        try:
            seen = card.chip.on(interface)
            if faults:
                seen = Faults(card.chip, faults, self._sleep, partial(make_twin, card.persona)).around(seen)
        except ValueError as error:
            raise CarddError(Reason.INVALID, f"`{name}`: {error}") from None
        return _Guarded(seen, card.lock)

    def memory(self, name: str) -> CardImage:
        """Return what the card of that name remembers. It holds the PIN. Raises CarddError NOT_FOUND."""
        card = self._find(name)
        with card.lock:
            return take_image(card.chip.machine)

    def first_interface(self, name: str) -> str:
        """Return the interface on which the card is seen if nobody says otherwise: contacts, if it has them."""
        return "contact" if self._find(name).chip.answers.contact else "contactless"

    def _find(self, name: str) -> _Card:
        card = self._cards.get(name)
        if card is None:
            raise CarddError(Reason.NOT_FOUND, f"there is no card `{name}`")
        return card


class _Guarded:
    """A card that may lie in a contact reader and over an antenna at once: one command at a time."""

    def __init__(self, card: VirtualCard, lock: threading.Lock) -> None:
        self._card = card
        self._lock = lock

    def power_on(self) -> bytes:
        with self._lock:
            return self._card.power_on()

    def reset(self) -> bytes:
        with self._lock:
            return self._card.reset()

    def power_off(self) -> None:
        with self._lock:
            self._card.power_off()

    def transmit(self, command: bytes) -> bytes:
        with self._lock:
            return self._card.transmit(command)
