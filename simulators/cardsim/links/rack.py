"""Slots with cards in them, shared by the links that need no pcscd. It keeps to what pcscd does where tests can tell.

A card keeps its power when it is let go without a reset (pcscd takes it after half a second at the earliest), so that
whoever forgets to reset an unlocked card leaves it unlocked here too.
"""

import queue
import threading
from collections.abc import Callable
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.iso7816.atr import parse_atr
from cardd.iso7816.device import Presence, Slot, Slots, Transport
from cardsim.card.base import VirtualCard

_STATUS_WORD_LENGTH: Final = 2
_T1: Final = 1


class Rack:
    """Named slots. Every method may be called from any thread; listeners are called with the rack's lock held."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._stays: dict[str, _Stay | None] = {}
        self._counters: dict[str, int] = {}
        self._listeners: list[Callable[[Slots], None]] = []

    def add_slot(self, name: str) -> None:
        """Add an empty slot, or nothing if it is there."""
        with self._changed:
            self._stays.setdefault(name, None)
            self._counters.setdefault(name, 0)
            self._tell()

    def remove_slot(self, name: str) -> None:
        """Take a slot away, and with it the card that is in it."""
        with self._changed:
            self._end_stay(name)
            del self._stays[name]
            self._tell()

    def insert(self, slot: str, card: VirtualCard) -> None:
        """Put a card into a slot. Raises CarddError NOT_FOUND for no such slot, BUSY for one with a card in it."""
        with self._changed:
            if slot not in self._stays:
                raise CarddError(Reason.NOT_FOUND, f"there is no slot `{slot}`")
            if self._stays[slot] is not None:
                raise CarddError(Reason.BUSY, f"there is a card in `{slot}`: remove it first")
            self._stays[slot] = _Stay(card)
            self._counters[slot] += 1
            self._tell()

    def remove(self, slot: str) -> None:
        """Take the card out of a slot, also in the middle of a command: its answer is lost."""
        with self._changed:
            if self._stays.get(slot) is None:
                raise CarddError(Reason.NOT_FOUND, f"there is no card in `{slot}`")
            self._end_stay(slot)
            self._tell()

    def look(self) -> Slots:
        """Return all slots as they are now. `in_use` is set for one that is held exclusively, whoever holds it."""
        with self._changed:
            return Slots(tuple(self._view(name, stay) for name, stay in self._stays.items()))

    def listen(self, listener: Callable[[Slots], None]) -> Callable[[], None]:
        """Tell a listener what there is, and again at every change; call what is returned to end that."""
        with self._changed:
            self._listeners.append(listener)
            listener(self.look())
        return lambda: self._forget(listener)

    def connect(self, slot: str, *, exclusive: bool) -> "Handle":
        """Power the card in a slot and open it. Raises CarddError as a reader backend does."""
        with self._changed:
            stay = self._stay(slot)
            # as in pcscd, whoever comes waits while somebody has a transaction
            self._changed.wait_for(lambda: stay.transaction is None or stay.over)
            if stay.over:
                raise CarddError(Reason.NO_CARD, f"the card in `{slot}` was taken out")
            if stay.exclusive or (exclusive and stay.handles):
                raise CarddError(Reason.READER_IN_USE, f"somebody else holds `{slot}`")
            stay.power()
            handle = Handle(self, stay)
            stay.handles.add(handle)
            stay.exclusive = exclusive
            if exclusive:
                self._tell()
            return handle

    def begin(self, stay: "_Stay", handle: "Handle") -> None:
        """Wait until nobody else has a transaction on the card, and begin one."""
        with self._changed:
            self._changed.wait_for(lambda: stay.transaction in {None, handle} or stay.over)
            stay.transaction = handle

    def end(self, stay: "_Stay", handle: "Handle") -> None:
        """End a transaction; nothing if there is none."""
        with self._changed:
            if stay.transaction is handle:
                stay.transaction = None
                self._changed.notify_all()

    def wait_turn(self, stay: "_Stay", handle: "Handle") -> None:
        """Wait until no other handle has a transaction on the card."""
        with self._changed:
            self._changed.wait_for(lambda: stay.transaction in {None, handle} or stay.over)

    def drop(self, stay: "_Stay", handle: "Handle") -> None:
        """Forget a handle."""
        with self._changed:
            self.end(stay, handle)
            stay.handles.discard(handle)
            if stay.exclusive:
                stay.exclusive = False
                if not stay.over:
                    self._tell()

    def _stay(self, slot: str) -> "_Stay":
        if slot not in self._stays:
            raise CarddError(Reason.READER_UNAVAILABLE, f"there is no slot `{slot}`")
        stay = self._stays[slot]
        if stay is None:
            raise CarddError(Reason.NO_CARD, f"there is no card in `{slot}`")
        if not stay.atr:
            raise CarddError(Reason.CARD_MUTE, f"the card in `{slot}` does not answer")
        return stay

    def _end_stay(self, slot: str) -> None:
        stay = self._stays[slot]
        if stay is not None:
            stay.over = True
            stay.switch_off()
            self._stays[slot] = None
            self._counters[slot] += 1
            self._changed.notify_all()

    def _view(self, name: str, stay: "_Stay | None") -> Slot:
        counter = self._counters[name]
        if stay is None:
            return Slot(name, Presence.EMPTY, counter)
        presence = Presence.PRESENT if stay.atr else Presence.MUTE
        return Slot(name, presence, counter, stay.atr, in_use=stay.exclusive)

    def _tell(self) -> None:
        slots = self.look()
        for listener in tuple(self._listeners):
            listener(slots)

    def _forget(self, listener: Callable[[Slots], None]) -> None:
        with self._changed:
            if listener in self._listeners:
                self._listeners.remove(listener)


class RackWatch:
    """A watch on a rack: what there is, and every change, told in order by a thread of its own."""

    def __init__(self, rack: Rack, tell: Callable[[Slots], None]) -> None:
        self._tell = tell
        self._looks: queue.SimpleQueue[Slots | None] = queue.SimpleQueue()
        self._forget = rack.listen(self._looks.put)
        self._thread = threading.Thread(target=self._run, name="rack-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ask the thread to end."""
        self._forget()
        self._looks.put(None)

    def _run(self) -> None:
        told: Slots | None = None
        while (look := self._looks.get()) is not None:
            if look != told:
                self._tell(look)
                told = look


class _Stay:
    """One stay of a card in a slot; the rack's lock guards all but `wire`."""

    def __init__(self, card: VirtualCard) -> None:
        self.card = card
        self.atr = card.power_on()
        card.power_off()
        self.powered = False
        self.over = False
        self.exclusive = False
        self.handles: set[Handle] = set()
        self.transaction: Handle | None = None
        # one command at a time, without the rack's lock: a card may take its time
        self.wire = threading.Lock()

    def has_ended(self) -> bool:
        """Say whether the card has been taken out, which may happen between any two lines."""
        return self.over

    def power(self) -> None:
        """Give power to a card that has none."""
        if not self.powered:
            self.atr = self.card.power_on()
            self.powered = True

    def switch_off(self) -> None:
        """Take the power of a card that has gone; in the middle of a command whoever sent that does it afterwards."""
        if self.wire.acquire(blocking=False):
            self.card.power_off()
            self.wire.release()


class Handle:
    """An open card in a slot of a rack: a `Connection` of the reader protocol."""

    def __init__(self, rack: Rack, stay: _Stay) -> None:
        self._rack = rack
        self._stay = stay
        self._open = True
        self._atr = stay.atr

    @property
    def atr(self) -> bytes:
        """The answer to reset of the card that was connected."""
        return self._atr

    @property
    def transport(self) -> Transport:
        """T=1 for a card that offers it, as pcscd chooses; else T=0."""
        return Transport.T1 if _T1 in parse_atr(self._atr).protocols else Transport.T0

    def transmit(self, command: bytes) -> bytes:
        """Send one command as it is; no answer, or one from a card that has gone meanwhile, is CARD_REMOVED."""
        self._rack.wait_turn(self._stay, self)
        with self._stay.wire:
            if not self._open or self._stay.over:
                raise _removed()
            response = self._stay.card.transmit(command)
            if not response:
                # its power went in the middle of the command
                self._stay.powered = False
        if self._stay.has_ended():
            self._stay.switch_off()
            raise _removed()
        if len(response) < _STATUS_WORD_LENGTH:
            raise _removed()
        return response

    def control(self, code: int, data: bytes) -> bytes:
        """Refuse: the readers of a rack have no functions of their own."""
        del data
        raise CarddError(Reason.READER_UNAVAILABLE, f"a simulated reader has no control code 0x{code:08X}")

    def begin(self) -> None:
        """Begin a transaction; waits while somebody else has one."""
        self._rack.begin(self._stay, self)
        if self._stay.over:
            raise _removed()

    def end(self, *, reset: bool = False) -> None:
        """End the transaction; with a reset, if told so, before anybody who waits gets the card."""
        if reset:
            self._reset()
        self._rack.end(self._stay, self)

    def disconnect(self, *, reset: bool) -> None:
        """Let go of the card; a second time does nothing."""
        if not self._open:
            return
        self._open = False
        if reset:
            self._reset()
        self._rack.drop(self._stay, self)

    def _reset(self) -> None:
        if not self._stay.over:
            with self._stay.wire:
                self._stay.card.reset()


def _removed() -> CarddError:
    return CarddError(Reason.CARD_REMOVED, "the card was taken out in the middle of a command")
