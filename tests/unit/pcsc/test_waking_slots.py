"""Power for a slot that shows no card, against a scripted service."""

import threading
import time
from collections.abc import Iterable
from typing import cast

from support.notebook import Notebook

from cardd.iso7816.device import Presence, Waker
from cardd.pcsc.backend import PcscBackend
from cardd.pcsc.scard import Attribute, Disposition, PcscError, Protocol, ReaderState, Scard, Share

EMPTY, PRESENT = 0x10, 0x20
ATR = bytes.fromhex("3B021450")
CANCELLED = 0x80100002
UNRESPONSIVE = 0x80100066
SAM = "Feitian R502 [SAM Reader] 01 02"


class DarkSlot:
    """A service with one slot that says empty until it is powered; nobody is told of the change."""

    def __init__(self, *, card: bool) -> None:
        self.card = card
        self.state = ReaderState(SAM, EMPTY)
        self.cancelled = threading.Event()
        self.powered = 0
        self.hangs = threading.Event()
        self.hangs.set()

    def establish_context(self) -> int:
        return 1

    def release_context(self, _: int) -> None:
        """Give nothing back."""

    def list_readers(self, _: int) -> tuple[str, ...]:
        return (SAM,)

    def wait(self, _: int, known: Iterable[ReaderState], limit: int) -> tuple[ReaderState, ...]:
        known = tuple(known)
        # as pcscd does: what has changed since is told at once, only then it waits to be told
        if limit and known[0].event == self.state.event:
            self.cancelled.wait(5)
            self.cancelled.clear()
            raise PcscError("SCardGetStatusChange", CANCELLED)
        return tuple(self.state for _ in known)

    def cancel(self, _: int) -> None:
        self.cancelled.set()

    def connect(self, _: int, reader: str, share: Share, __: Protocol) -> tuple[int, Protocol]:
        assert (reader, share) == (SAM, Share.DIRECT)
        return 2, Protocol.NONE

    def disconnect(self, _: int, disposition: Disposition) -> None:
        assert disposition is Disposition.LEAVE

    def attribute(self, _: int, __: Attribute) -> bytes:
        return b""

    def power_anew(self, _: int) -> None:
        self.powered += 1
        self.hangs.wait(5)
        if not self.card:
            raise PcscError("SCardReconnect", UNRESPONSIVE)
        self.state = ReaderState(SAM, PRESENT, ATR)


def test_a_card_that_answers_to_power_is_told_though_the_service_tells_nobody() -> None:
    slot, notebook = DarkSlot(card=True), Notebook()
    backend = PcscBackend(cast("Scard", slot))
    assert isinstance(backend, Waker)
    watch = backend.watch(notebook)
    assert notebook.until_slot(SAM, lambda _: True).presence is Presence.EMPTY
    backend.wake(SAM)
    assert notebook.until_slot(SAM, lambda slot: slot.presence is Presence.PRESENT).atr == ATR
    watch.close()
    watch.thread.join(2)


def test_a_slot_is_powered_by_one_thread_at_a_time_and_nobody_waits_for_it() -> None:
    slot = DarkSlot(card=False)
    slot.hangs.clear()
    backend = PcscBackend(cast("Scard", slot))
    began = time.monotonic()
    for _ in range(3):
        backend.wake(SAM)
    assert time.monotonic() - began < 0.5
    slot.hangs.set()
    while any(thread.name == "pcsc-wake" for thread in threading.enumerate()):
        time.sleep(0.01)
    assert slot.powered == 1
    # one that found nothing is tried again
    backend.wake(SAM)
    while slot.powered == 1:
        time.sleep(0.01)


def test_the_script_of_this_file_has_no_call_that_the_real_layer_lacks() -> None:
    assert {name for name in vars(DarkSlot) if not name.startswith("_")} <= set(vars(Scard))
