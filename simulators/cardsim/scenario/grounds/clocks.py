"""Time as a timeline has it: the machine's, or a virtual one that passes whenever nothing else is to be done."""

import asyncio
import heapq
import os
import selectors
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Final, Protocol, TypeVarTuple

from cardd.base.clock import TimerHandle

Ts = TypeVarTuple("Ts")
Holds = Callable[[], bool]


class Time(Protocol):
    """What waits for something, or for time to pass."""

    def elapsed(self) -> float:
        """Return the seconds since the beginning."""

    def sleep(self, seconds: float) -> None:
        """Let time pass; returns at once when the run is given up."""

    def wait(self, changed: threading.Condition, holds: Holds, seconds: float) -> bool:
        """Wait until something holds, which is looked at when `changed` is told, or the time is over; the lock is held.

        Returns whether it holds.
        """

    def settle(self, who: str) -> None:
        """Wait until all that can happen now has happened, so that what `who` does next always finds the same."""

    def give_up(self) -> None:
        """Let nobody wait any longer."""


class RealTime:
    """The machine's own time."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._over = False
        self._changed = threading.Condition()

    def elapsed(self) -> float:
        """Return the seconds since the beginning."""
        return time.monotonic() - self._began

    def sleep(self, seconds: float) -> None:
        """Let time pass; returns at once when the run is given up."""
        with self._changed:
            self._changed.wait_for(lambda: self._over, seconds)

    def wait(self, changed: threading.Condition, holds: Holds, seconds: float) -> bool:
        """Wait until something holds, at most so long."""
        end = time.monotonic() + seconds
        while not holds():
            left = end - time.monotonic()
            if left <= 0 or self._over:
                return False
            # whoever gives up tells no condition but the one of those who sleep
            changed.wait(min(left, _LOOK_S))
        return True

    def settle(self, who: str) -> None:
        """Go on at once: here something can happen at any time."""

    def give_up(self) -> None:
        """Let nobody wait any longer."""
        with self._changed:
            self._over = True
            self._changed.notify_all()


_LOOK_S: Final = 0.5
_TASKS: Final = Path("/proc/self/task")
_EPOCH: Final = datetime(2026, 1, 5, tzinfo=UTC)
_PAUSES_S: Final = (0.0001, 0.0005, 0.002)


class VirtualTime:
    """Time that stands still while anything in this process works, and then leaps to what is waited for next.

    It is a `Clock`, the event loop's time (`loop` must run in a thread), and what timelines wait with. Leaping begins
    with `start`. A thread works unless the kernel shows it asleep and it has not run between two looks: whoever waits
    for another thread, a socket or a lock sleeps; whoever waits for the interpreter sleeps while another one works.
    """

    def __init__(self) -> None:
        self._seconds = 0.0
        self._order = count()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._waiting: list[tuple[float, int, threading.Condition]] = []
        self._turns: list[tuple[str, int, threading.Event]] = []
        self._lock = threading.Lock()
        self._over = False
        self._held = 0
        self._broken: OSError | None = None
        self._sleeping = threading.Condition()
        self._looks = Looks()
        self._thread = threading.Thread(target=self._conduct, name="virtual-time", daemon=True)
        self.leaps = 0
        self.loop: Final = VirtualLoop(self)

    # -- a clock

    def now(self) -> datetime:
        """Return the time of day, which begins on the same day in every run."""
        return _EPOCH + timedelta(seconds=self._seconds)

    def monotonic(self) -> float:
        """Return virtual seconds."""
        return self._seconds

    def call_later(self, seconds: float, callback: Callable[[], None]) -> TimerHandle:
        """Arm a timer on the event loop."""
        return self.loop.call_later(seconds, callback)

    def armed(self, handle: asyncio.TimerHandle) -> None:
        """Note a timer of the loop."""
        with self._lock:
            heapq.heappush(self._timers, (handle.when(), next(self._order), handle))

    # -- what waits

    def elapsed(self) -> float:
        """Return the virtual seconds since the beginning."""
        return self._seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass; returns at once when the run is given up."""
        with self._sleeping:
            self.wait(self._sleeping, lambda: False, seconds)

    def wait(self, changed: threading.Condition, holds: Holds, seconds: float) -> bool:
        """Wait until something holds, at most so many virtual seconds."""
        end = self._seconds + seconds
        with self._lock:
            heapq.heappush(self._waiting, (end, next(self._order), changed))
        while not holds():
            if self._seconds >= end or self._over:
                self._go_on()
                return False
            changed.wait()
        return True

    def settle(self, who: str) -> None:
        """Wait until nothing works at this moment; of several who wait so, one goes on at a time, by their names."""
        turn = threading.Event()
        with self._lock:
            if self._over:
                return
            heapq.heappush(self._turns, (who, next(self._order), turn))
        turn.wait()
        self._go_on()

    def _go_on(self) -> None:
        """Raise the OSError by which time stands still, if it does: nobody can tell what works any more."""
        if self._broken is not None:
            raise self._broken

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let no time pass meanwhile: for what waits by the machine's clock, which would be overtaken."""
        with self._lock:
            self._held += 1
        try:
            yield
        finally:
            with self._lock:
                self._held -= 1

    def give_up(self) -> None:
        """Let nobody wait any longer."""
        self._over = True
        with self._lock:
            for _, _, turn in self._turns:
                turn.set()
            told = {id(changed): changed for _, _, changed in self._waiting}
        for changed in told.values():
            with changed:
                changed.notify_all()

    # -- leaping

    def start(self) -> None:
        """Leap from now on."""
        self._thread.start()

    def _conduct(self) -> None:
        try:
            self._leap_on()
        except OSError as error:
            # short of file descriptors, say
            self._broken = error
            self.give_up()

    def _leap_on(self) -> None:
        idle = 0
        while not self._over:
            if not self._looks.all_asleep():
                time.sleep(_PAUSES_S[min(idle, len(_PAUSES_S) - 1)])
                idle += 1
                continue
            idle = 0
            if not self._leap():
                time.sleep(_PAUSES_S[-1])

    def _leap(self) -> bool:
        """Let the next one go on, or go to the next moment that is waited for; False where none is, or time is held."""
        with self._lock:
            if self._held:
                return False
            if self._turns:
                heapq.heappop(self._turns)[2].set()
                return True
            while self._timers and self._timers[0][2].cancelled():
                heapq.heappop(self._timers)
            moments = [queue[0][0] for queue in (self._timers, self._waiting) if queue]
            if not moments:
                return False
            self.leaps += 1
            self._seconds = max(self._seconds, min(moments))
            while self._timers and self._timers[0][0] <= self._seconds:
                heapq.heappop(self._timers)
            due: list[threading.Condition] = []
            while self._waiting and self._waiting[0][0] <= self._seconds:
                due.append(heapq.heappop(self._waiting)[2])
        self.loop.call_soon_threadsafe(_nothing)
        for changed in due:
            with changed:
                changed.notify_all()
        return True


def _nothing() -> None:
    """Wake the loop, which then sees what time it is."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose timers follow virtual time: it never waits for the machine's."""

    def __init__(self, virtual: VirtualTime) -> None:
        self._virtual = virtual
        super().__init__(_Patient())

    def time(self) -> float:
        """Return virtual seconds."""
        return self._virtual.monotonic()

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Arm a timer, and have it known when it is due."""
        handle = super().call_at(when, callback, *args, context=context)
        self._virtual.armed(handle)
        return handle


class _Patient(selectors.EpollSelector):
    """Waits for something to happen, never for a while."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(0 if timeout is not None and timeout <= 0 else None)


class Looks:
    """Looks at the threads of this process, as the kernel shows them."""

    def __init__(self) -> None:
        self._mine: int | None = None

    def all_asleep(self) -> bool:
        """Say whether no other thread works: all sleep now, and none has run since the look before."""
        if self._mine is None:
            self._mine = threading.get_native_id()
        before = self._look()
        return before is not None and before == self._look()

    def _look(self) -> dict[str, bytes] | None:
        """Return how often each other thread has been run; None where one works."""
        seen: dict[str, bytes] = {}
        for path in _TASKS.iterdir():
            task = path.name
            if task == str(self._mine):
                continue
            try:
                state, runs = _look_at(task)
            except (FileNotFoundError, ProcessLookupError):
                return None
            if state != b"S":
                return None
            seen[task] = runs
        return seen


def _look_at(task: str) -> tuple[bytes, bytes]:
    """Return a thread's state, and a text that changes whenever it runs."""
    runs = _read(f"{_TASKS}/{task}/schedstat")
    stat = _read(f"{_TASKS}/{task}/stat")
    # the name, in brackets, may hold anything
    return stat[stat.rindex(b")") + 2 :][:1], runs


def _read(path: str) -> bytes:
    file = os.open(path, os.O_RDONLY)
    try:
        return os.read(file, 1024)
    finally:
        os.close(file)
