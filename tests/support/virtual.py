"""Reader slots in memory in which virtual cards lie: a backend for tests of everything above it."""

import threading

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.iso7816.device import Observer, Presence, Slot, Slots, Transport
from cardsim.card.base import VirtualCard
from cardsim.card.make import make_card
from cardsim.persona import load_persona


class VirtualConnection:
    """A card as the reader holds it. Taking the card out fails whatever comes after."""

    def __init__(self, backend: "VirtualBackend", slot: str, card: VirtualCard, atr: bytes) -> None:
        self._backend = backend
        self._slot = slot
        self._card = card
        self.atr = atr
        self.transport = Transport.T0

    def transmit(self, command: bytes) -> bytes:
        if self._backend.lying.get(self._slot) is not self._card:
            raise CarddError(Reason.CARD_REMOVED)
        return self._card.transmit(command)

    def control(self, code: int, data: bytes) -> bytes:
        raise CarddError(Reason.INVALID, f"no control {code} {len(data)}")

    def begin(self) -> None:
        """Nobody else is here."""

    def end(self, *, reset: bool = False) -> None:
        if reset:
            self._card.reset()

    def disconnect(self, *, reset: bool) -> None:
        if reset:
            self._card.reset()


class VirtualBackend:
    """Named slots; a card by persona's name goes in and out. Commands run on the reader's worker."""

    def __init__(self, *slots: str) -> None:
        self.lying: dict[str, VirtualCard | None] = dict.fromkeys(slots)
        self._cards: dict[str, VirtualCard] = {}
        self._atrs: dict[str, bytes] = {}
        self._counters = dict.fromkeys(slots, 0)
        self._observer: Observer | None = None
        self._lock = threading.Lock()

    def insert(self, slot: str, persona: str) -> None:
        card = self._cards.setdefault(persona, make_card(load_persona(persona)))
        self._atrs[slot] = card.power_on()
        self._set(slot, card)

    def remove(self, slot: str) -> None:
        self._set(slot, None)

    def watch(self, observer: Observer) -> "VirtualBackend":
        self._observer = observer
        self._look()
        return self

    def close(self) -> None:
        self._observer = None

    def connect(self, slot: str, *, exclusive: bool) -> VirtualConnection:
        card = self.lying[slot]
        if card is None or not exclusive:
            raise CarddError(Reason.NO_CARD)
        return VirtualConnection(self, slot, card, self._atrs[slot])

    def _set(self, slot: str, card: VirtualCard | None) -> None:
        with self._lock:
            self.lying[slot] = card
            self._counters[slot] += 1
        self._look()

    def _look(self) -> None:
        if self._observer is not None:
            self._observer(Slots(tuple(self._slot(name) for name in self.lying)))

    def _slot(self, name: str) -> Slot:
        if self.lying[name] is None:
            return Slot(name, Presence.EMPTY, self._counters[name])
        return Slot(name, Presence.PRESENT, self._counters[name], self._atrs[name])
