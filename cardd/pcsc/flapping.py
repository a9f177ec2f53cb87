"""Contacts that bounce: a card half in, or a worn reader, comes and goes many times in a moment.

That a card has gone is told at once, always. That one has come is told at once too, unless the reader counted three
comings and goings within 300 ms: then it is told as empty until it has been still for so long.
"""

import time
from collections.abc import Callable, Collection
from typing import Final

import msgspec
from msgspec.structs import replace

from cardd.iso7816.device import Presence, Slot

CALM_S: Final = 0.3
BOUNCES: Final = 3

_COUNTER: Final = 0x10000


class _Contacts(msgspec.Struct):
    counter: int
    moves: list[float] = msgspec.field(default_factory=list)
    bouncing: bool = False


class Flapping:
    """What the readers' counters did lately. One thread's only, the watching one."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._contacts: dict[str, _Contacts] = {}

    def forget(self) -> None:
        """Begin anew: the counts are another service's from now on."""
        self._contacts = {}

    def steady(self, slots: Collection[Slot]) -> tuple[Slot, ...]:
        """Return a look at all slots, with those empty whose contacts have not come to rest."""
        now = self._monotonic()
        known = self._contacts
        # what a device that does not answer counts says nothing of its contacts, nor what it counts from then on
        self._contacts = {
            slot.name: known.get(slot.name) or _Contacts(slot.counter)
            for slot in slots
            if slot.presence is not Presence.UNAVAILABLE
        }
        return tuple(self._shown(slot, now) for slot in slots)

    @property
    def rest_s(self) -> float | None:
        """Return after how long to look again, None where nothing bounces."""
        now = self._monotonic()
        ends = [contacts.moves[-1] + CALM_S for contacts in self._contacts.values() if contacts.bouncing]
        return max(0.0, min(ends) - now) if ends else None

    def _shown(self, slot: Slot, now: float) -> Slot:
        contacts = self._contacts.get(slot.name)
        if contacts is None:
            return slot
        moved = (slot.counter - contacts.counter) % _COUNTER
        if not moved and not contacts.moves:
            return slot
        contacts.counter = slot.counter
        contacts.moves = [at for at in contacts.moves if now - at < CALM_S] + [now] * min(moved, BOUNCES)
        contacts.bouncing = len(contacts.moves) >= BOUNCES or (contacts.bouncing and bool(contacts.moves))
        return replace(slot, presence=Presence.EMPTY, atr=b"") if contacts.bouncing else slot
