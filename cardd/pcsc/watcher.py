"""One thread that watches every reader: it sleeps in the smart-card service until something happens.

It has a context of its own, waits without a time limit, and outlives the service: when that goes, the thread says so
once, tries again with growing pauses, and says once that it is back. A machine that slept is told as a service that
went and came back, since nobody saw what became of the cards.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Final

from cardd.base.reasons import Reason
from cardd.iso7816.device import Observer, Presence, ServiceDown, ServiceUp, Slot, Slots
from cardd.pcsc.counting import Counting
from cardd.pcsc.devices import UNKNOWN, Device, Devices
from cardd.pcsc.errors import CANCELLED, TIMED_OUT, UNKNOWN_READER
from cardd.pcsc.flapping import Flapping
from cardd.pcsc.scard import FOREVER, PNP_NOTIFICATION, PcscError, ReaderState, Scard, State
from cardd.pcsc.service import Absence, explain_absence
from cardd.pcsc.sleep import Alarm, Sleep

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 0.5
_SECOND_LOOK_MS: Final = 1000
_LISTING_MS: Final = 10
_CANCEL_EVERY: Final = 0.02
_MOST_STATES: Final = 16
"""libpcsclite takes no more in one wait (PCSCLITE_MAX_READERS_CONTEXTS), and pcscd holds no more readers."""
_SLEPT: Final = ServiceDown(
    Reason.PCSC_UNAVAILABLE,
    "The machine has slept, and cards may have been exchanged meanwhile. All are read anew.",
    "pcsc_slept",
)
_STARTED_ANEW: Final = ServiceDown(
    Reason.PCSC_UNAVAILABLE,
    "The smart-card service was started anew, and cards may have been exchanged meanwhile. All are read anew.",
)
_GONE: Final = int(State.UNKNOWN)
_HELD: Final = int(State.EXCLUSIVE)
_NOTHING_NEW: Final = frozenset({CANCELLED, TIMED_OUT})


def pauses() -> Iterator[float]:
    """Yield the seconds to wait before each next try, for ever: 50 ms, doubling, at most half a second."""
    pause = _FIRST_PAUSE
    while True:
        yield pause
        pause = min(pause * 2, _LONGEST_PAUSE)


class _SleptError(Exception):
    """The machine has slept since the last look."""


class Watcher:
    """A watch over all readers of the service. `own` says which readers this process itself holds exclusively."""

    def __init__(
        self,
        scard: Scard,
        observer: Observer,
        own: Callable[[str], bool],
        sleep: Sleep | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._scard = scard
        self._observer = observer
        self._own = own
        self._devices = Devices(scard)
        self._counting = Counting()
        self._flapping = Flapping()
        self._sleep = sleep or Sleep()
        self._alarm = Alarm(self.wake)
        self._woken = threading.Event()
        self._closing = threading.Event()
        self._context: int | None = None
        self._monotonic = monotonic
        self._absence = Absence(monotonic)
        self._down: ServiceDown | None = None
        self._refused = False
        self._pauses = pauses()
        self._thread = threading.Thread(target=self._run, name="pcsc-watch", daemon=True)

    @property
    def thread(self) -> threading.Thread:
        """The watching thread."""
        return self._thread

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()
        self._alarm.start()

    def wake(self) -> None:
        """Have the thread look whether the machine has slept; returns when it does."""
        self._woken.set()
        self._cancel_while(lambda: self._woken.is_set() and not self._closing.is_set())

    def close(self) -> None:
        """Ask the thread to end and return at once, also where the service hangs."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._alarm.close()
        threading.Thread(
            target=self._cancel_while, args=(self._thread.is_alive,), name="pcsc-watch-cancel", daemon=True
        ).start()

    def _cancel_while(self, wanted: Callable[[], bool]) -> None:
        # a cancel is not remembered: one that comes just before the wait begins is lost
        while wanted():
            context = self._context
            if context is not None:
                with contextlib.suppress(PcscError):
                    self._scard.cancel(context)
            self._thread.join(_CANCEL_EVERY)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._follow()
            except PcscError as error:
                if self._closing.is_set():
                    return
                self._tell_down(error)
                self._closing.wait(next(self._pauses))
            except _SleptError:
                self._down = _SLEPT
                self._observer(_SLEPT)
            except Exception as error:  # noqa: BLE001 - whatever it is, the watch must not end in silence
                self._tell_stumbled(error)
                self._closing.wait(next(self._pauses))

    def _follow(self) -> None:
        """Watch on one context until it fails, the machine has slept or the watch is closed."""
        self._woken.clear()
        self._sleep.over()
        self._context = self._scard.establish_context()
        try:
            self._look_until_closed(self._context)
        finally:
            # forgotten before it is given back: the number may soon be another thread's context
            context, self._context = self._context, None
            with contextlib.suppress(PcscError):
                self._scard.release_context(context)

    def _look_until_closed(self, context: int) -> None:
        self._devices.forget()
        self._counting.forget()
        self._flapping.forget()
        known = self._relist(context, ())
        self._devices.meet([state.name for state in known])
        self._tell_up()
        told = self._tell(None, known)
        # A reader that appears between listing and waiting goes unnoticed: the wait counts the readers when it begins.
        # So one more look follows a second after the last change; only then has the wait no limit. pcscd tells nobody
        # when a program takes or frees a reader: `in_use` is as of the last look, which comes every second meanwhile.
        limit, listed = _SECOND_LOOK_MS, True
        while not self._closing.is_set():
            seen = self._wait(context, known, limit)
            self._woken.clear()
            if self._sleep.over():
                raise _SleptError
            if seen != known and _is_whole(seen):
                # The readers are listed anew a moment later: whoever is told of a card needs the interpreter now.
                known, told = seen, self._tell(told, seen)
                limit, listed = _LISTING_MS, False
                continue
            seen = self._relist(context, seen)
            settled, listed = listed and seen == known, True
            known = seen
            self._devices.meet([state.name for state in known])
            told = self._tell(told, known)
            limit = self._limit(told, settled=settled)

    def _limit(self, told: Slots, *, settled: bool) -> int:
        """Return for how long to wait until the next look; `settled`: this one showed nothing new."""
        awaited = self._devices.waiting or any(slot.in_use for slot in told.slots)
        limit = FOREVER if settled and not awaited else _SECOND_LOOK_MS
        rest = self._flapping.rest_s
        return limit if rest is None else min(limit, int(rest * 1000) + 1)

    def _wait(self, context: int, known: tuple[ReaderState, ...], limit: int) -> tuple[ReaderState, ...]:
        """Sleep until something happens or the limit is over; return what is known then of the readers that were."""
        # with all places taken no reader can come before one goes, and that is told as a change of its state
        asked = (*known, ReaderState(PNP_NOTIFICATION))[:_MOST_STATES]
        try:
            seen = self._scard.wait(context, asked, limit)[: len(known)]
        except PcscError as error:
            if error.code in _NOTHING_NEW:
                return known
            if error.code == UNKNOWN_READER:
                return ()
            raise
        return seen

    def _relist(self, context: int, seen: tuple[ReaderState, ...]) -> tuple[ReaderState, ...]:
        """Return the states of all readers there are, asking for those that are not among the seen ones."""
        known = {state.name: state for state in seen if not state.event & _GONE}
        while True:
            states = tuple(known.get(name, ReaderState(name)) for name in self._scard.list_readers(context))
            if all(state.event for state in states):
                return states
            try:
                return self._scard.wait(context, states, 0)
            except PcscError as error:
                # it went in the meantime: list again
                if error.code != UNKNOWN_READER:
                    raise

    def _tell_down(self, error: PcscError) -> None:
        problem = explain_absence(error)
        # a service that is being killed may take a connection once more and refuse it: one that means it says so again
        first, self._refused = not self._refused, problem.reason is Reason.PCSC_DENIED
        if self._refused and first:
            return
        if self._absence.is_news(problem.reason, problem.text_code):
            self._down = ServiceDown(problem.reason, problem.detail, problem.text_code)
            self._observer(self._down)

    def _tell_stumbled(self, error: Exception) -> None:
        """Tell once that nothing is known of the readers until the watch has begun anew."""
        if self._down is None:
            detail = f"The watch over the readers failed ({type(error).__name__}) and begins anew. Report it."
            self._down = ServiceDown(Reason.PCSC_UNAVAILABLE, detail)
            with contextlib.suppress(Exception):
                # it may be the observer that failed: the state of the readers is told anew in any case
                self._observer(self._down)

    def _tell_up(self) -> None:
        if self._refused and self._down is None:
            # the one that refused was about to end, and nobody was told: this is another one, which counts anew
            self._down = _STARTED_ANEW
            self._observer(_STARTED_ANEW)
        self._pauses = pauses()
        self._refused = False
        self._absence = Absence(self._monotonic)
        if self._down is not None:
            self._down = None
            self._observer(ServiceUp())

    def _tell(self, told: Slots | None, states: tuple[ReaderState, ...]) -> Slots:
        seen = self._counting.settled(self._slot(state) for state in states)
        slots = Slots(self._flapping.steady(seen))
        if slots != told and not self._closing.is_set():
            self._observer(slots)
        return slots

    def _slot(self, state: ReaderState) -> Slot:
        # asked of the few only that somebody holds: it takes a lock
        own = bool(state.event & _HELD) and self._own(state.name)
        return slot_of(state, own=own, device=self._devices.device(state.name))


def slot_of(state: ReaderState, *, own: bool, device: Device = UNKNOWN) -> Slot:
    """Return a reader's state as a slot; `own` says that it is this process that holds it exclusively."""
    presence, exclusive = _meaning(state.event & _FLAGS)
    if presence is Presence.UNPOWERED and state.atr:
        # it has answered once: nobody uses it just now, and so it has no power
        presence = Presence.PRESENT
    return Slot(
        name=state.name,
        presence=presence,
        counter=state.counter,
        atr=state.atr if presence is Presence.PRESENT else b"",
        in_use=exclusive and not own,
        serial=device.serial,
        usb=device.usb,
    )


@cache
def _meaning(flags: int) -> tuple[Presence, bool]:
    """Return what 16 bits of flags say: what is inside, and whether somebody has it exclusively.

    Remembered: masking flags takes longer than all else of a look, and few of their combinations ever come.
    """
    presence = next((presence for mask, presence in _PRESENCES if mask & flags), Presence.UNAVAILABLE)
    return presence, State.EXCLUSIVE in State(flags)


def _is_whole(seen: tuple[ReaderState, ...]) -> bool:
    """Tell whether no reader went while it was waited for."""
    return bool(seen) and not any(state.event & _GONE for state in seen)


_FLAGS: Final = 0xFFFF
_PRESENCES: Final = (
    (State.UNKNOWN | State.UNAVAILABLE, Presence.UNAVAILABLE),
    (State.EMPTY, Presence.EMPTY),
    (State.MUTE, Presence.MUTE),
    (State.UNPOWERED, Presence.UNPOWERED),
    (State.PRESENT, Presence.PRESENT),
)
