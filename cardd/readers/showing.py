"""Readers as clients see them, made anew when something has changed."""

from collections.abc import Callable

from cardd.base.structs import Struct
from cardd.readers.config import Role
from cardd.readers.facts import ReaderStatus
from cardd.readers.reconcile import SlotState, State, view


class _Seen(Struct, frozen=True):
    """What readers looked like, and what that hangs on: the state, and whose handle makes a card look in use."""

    state: State
    doubtful: tuple[str, ...] = ()
    ours: tuple[bool, ...] = ()
    views: tuple[ReaderStatus, ...] = ()


class Showing:
    """For any thread. `is_ours` tells of a slot whether the card in it is open for us."""

    def __init__(self, state: State, is_ours: Callable[[str], bool]) -> None:
        self._seen = _Seen(state)
        self._is_ours = is_ours

    def views(self, state: State) -> tuple[ReaderStatus, ...]:
        """Return every reader there is, ignored ones last: the same tuple, for as long as nothing has changed."""
        seen = self._seen
        if seen.state is not state or seen.ours != self._which_are_ours(seen.doubtful):
            slots = sorted(state.slots.values(), key=lambda slot: slot.place.role is Role.IGNORED)
            doubtful = tuple(slot.place.pcsc_name for slot in slots if slot.look is not None and slot.look.in_use)
            # asked before the views are made: a change meanwhile is seen the next time
            ours = self._which_are_ours(doubtful)
            seen = self._seen = _Seen(state, doubtful, ours, tuple(self._status(state, slot) for slot in slots))
        return seen.views

    def _which_are_ours(self, names: tuple[str, ...]) -> tuple[bool, ...]:
        return tuple(self._is_ours(name) for name in names)

    def _status(self, state: State, slot: SlotState) -> ReaderStatus:
        place = slot.place
        shown = view(state, slot, ours=self._is_ours(place.pcsc_name))
        device = (place.device, place.serial, place.usb)
        return ReaderStatus(place.reader, place.station, place.pcsc_name, place.role, shown, slot.insertion, *device)
