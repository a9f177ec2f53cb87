"""Simulated readers in the program itself: no pcscd, no socket, no thread but the watching one."""

from msgspec.structs import replace

from cardd.iso7816.device import Observer, Slots
from cardsim.card.base import VirtualCard
from cardsim.links.rack import Handle, Rack, RackWatch


class InProcessBackend:
    """A reader backend whose slots and cards are put there by whoever made it."""

    def __init__(self) -> None:
        self._rack = Rack()

    def add_slot(self, name: str) -> None:
        """Plug a reader in."""
        self._rack.add_slot(name)

    def remove_slot(self, name: str) -> None:
        """Unplug a reader."""
        self._rack.remove_slot(name)

    def insert(self, slot: str, card: VirtualCard) -> None:
        """Put a card into a slot. Raises CarddError NOT_FOUND for no such slot, BUSY for one with a card in it."""
        self._rack.insert(slot, card)

    def remove(self, slot: str) -> None:
        """Take the card out of a slot, also in the middle of a command. Raises CarddError NOT_FOUND for no card."""
        self._rack.remove(slot)

    def watch(self, observer: Observer) -> RackWatch:
        """Start a watching thread, which tells what is there and then every change."""
        return RackWatch(self._rack, lambda look: observer(_by_us(look)))

    def connect(self, slot: str, *, exclusive: bool) -> Handle:
        """Power the card in a slot and open it. Raises CarddError as the reader protocol says."""
        return self._rack.connect(slot, exclusive=exclusive)


def _by_us(look: Slots) -> Slots:
    """Return a look without its marks of use: here only the program itself can hold a slot."""
    return Slots(tuple(replace(slot, in_use=False) for slot in look.slots))
