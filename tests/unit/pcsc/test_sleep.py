"""Knowing that the machine has slept. That it wakes the alarm cannot be shown without putting the machine to sleep."""

import errno
import gc
import os
import threading
import time
from pathlib import Path

import pytest

from cardd.pcsc.sleep import Alarm, Sleep, asleep_so_far


def test_a_sleep_is_told_once() -> None:
    asleep = iter([3.0, 3.0, 45.5, 45.5])
    sleep = Sleep(lambda: next(asleep))
    assert [sleep.over() for _ in range(3)] == [False, True, False]


def test_clocks_that_are_not_read_at_the_same_moment_make_no_sleep() -> None:
    asleep = iter([3.0, 3.4, 2.9, 3.8])
    sleep = Sleep(lambda: next(asleep))
    assert not any(sleep.over() for _ in range(3))


def test_a_machine_that_is_awake_has_not_slept_meanwhile() -> None:
    before = asleep_so_far()
    time.sleep(0.05)
    assert asleep_so_far() - before == pytest.approx(0, abs=0.02)


def test_the_alarm_sleeps_in_the_kernel_and_ends_when_it_is_closed() -> None:
    # what other tests left behind goes now, and not while we count
    gc.collect()
    opened = os.listdir("/proc/self/fd")  # noqa: PTH208 # only how many there are
    rung = threading.Event()
    alarm = Alarm(rung.set)
    alarm.start()
    time.sleep(0.1)
    status = Path(f"/proc/self/task/{alarm.thread.native_id}/stat").read_text(encoding="ascii")
    assert status.rsplit(")", 1)[1].split()[0] == "S"
    alarm.close()
    alarm.close()
    alarm.thread.join(1)
    assert not alarm.thread.is_alive()
    assert not rung.is_set()
    assert len(os.listdir("/proc/self/fd")) == len(opened)  # noqa: PTH208 # as above


def test_a_jump_of_the_clock_rings(monkeypatch: pytest.MonkeyPatch) -> None:

    jumps = iter([errno.ECANCELED, errno.ECANCELED, errno.EBADF])

    def read(_: int, __: int) -> bytes:
        raise OSError(next(jumps), "scripted")

    rung: list[int] = []
    alarm = Alarm(lambda: rung.append(1))
    monkeypatch.setattr(os, "read", read)
    alarm.start()
    alarm.thread.join(1)
    monkeypatch.undo()
    assert not alarm.thread.is_alive()
    assert len(rung) == 2
