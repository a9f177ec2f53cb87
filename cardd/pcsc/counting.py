"""How often a card came or went, counted so that one look agrees with the next.

pcscd changes a reader's state first and its counter a moment later, without a lock. A look that falls between shows a
card that is in with the count of before; the look after it would then show a count that moved while a card was in,
which means an exchange. Between two looks a count moves by an odd number where a card came or went, else by an even
one: a count that does not is one behind.
"""

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from cardd.iso7816.device import Presence, Slot

_COUNTER: Final = 0x10000


class Counting:
    """The counts that were told last. One thread's only, the watching one."""

    def __init__(self) -> None:
        self._told: dict[str, Slot] = {}

    def forget(self) -> None:
        """Begin anew: the counts are another service's from now on."""
        self._told = {}

    def settled(self, slots: Iterable[Slot]) -> tuple[Slot, ...]:
        """Return a look at all slots, with counts that agree with those of the look before."""
        told = tuple(self._settled(slot) for slot in slots)
        # a device that does not answer is not counted either: what was before says nothing of what comes after
        self._told = {slot.name: slot for slot in told if slot.presence is not Presence.UNAVAILABLE}
        return told

    def _settled(self, slot: Slot) -> Slot:
        before = self._told.get(slot.name)
        if before is None or slot.presence is Presence.UNAVAILABLE:
            return slot
        came_or_went = (slot.presence is Presence.EMPTY) is not (before.presence is Presence.EMPTY)
        moved = slot.counter - before.counter
        return slot if moved % 2 == came_or_went else replace(slot, counter=(slot.counter + 1) % _COUNTER)
