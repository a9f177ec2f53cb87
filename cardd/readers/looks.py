"""What two looks at one slot, the one before and the one now, say of its device and of the card in it."""

from typing import Final

from cardd.iso7816.device import Presence, Slot
from cardd.readers.facts import Cause

NO_DEVICE: Final = (None, None)

_COUNTER: Final = 0x10000


def device(look: Slot | None) -> tuple[str | None, str | None]:
    """Return what a look says of whose slot it is."""
    return (look.serial, look.usb) if look is not None else NO_DEVICE


def is_blind(look: Slot | None) -> bool:
    """Tell whether a look says nothing of the card."""
    return look is None or look.presence is Presence.UNAVAILABLE


def _exchanged(before: Slot | None, look: Slot) -> bool:
    """Tell whether the counter or the answer to reset moved between two looks."""
    if before is None:
        return True
    moved = (look.counter - before.counter) % _COUNTER != 0
    return moved or bool(before.atr and look.atr and before.atr != look.atr)


def is_another_card(before: Slot | None, look: Slot) -> bool:
    """Tell whether what was known of the card before says nothing about the one in now."""
    gone = look.presence in {Presence.EMPTY, Presence.UNAVAILABLE}
    return gone or is_blind(before) or _exchanged(before, look)


def verdict(before: Slot | None, look: Slot) -> Cause | None:
    """Return why the insertion that lasted at the look before is over, None if it lasts."""
    if look.presence is Presence.EMPTY:
        return Cause.REMOVED
    if look.presence is Presence.UNAVAILABLE:
        return Cause.READER_DETACHED
    if _exchanged(before, look):
        return Cause.EXCHANGED
    return None if look.presence is Presence.PRESENT else Cause.RESET
