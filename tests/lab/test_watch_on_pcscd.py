"""What the watching thread tells of a real pcscd."""

import gc
import os
import threading
import time
from pathlib import Path

from support.notebook import Notebook
from support.resources import steady

from cardd.base.reasons import Reason
from cardd.iso7816.device import Observation, Presence, ServiceDown, ServiceUp, Slots
from cardd.pcsc.backend import PcscBackend
from cardd.pcsc.watcher import Watcher
from cardsim.lab import Lab
from cardsim.links.echo import CONTACT_ATR, CONTACTLESS_ATR, EchoCard


def service_words(told: list[Observation]) -> list[type[Observation]]:
    return [type(one) for one in told if not isinstance(one, Slots)]


def test_the_first_look_shows_what_is_there_already(
    lab: Lab, readers: tuple[str, ...], backend: PcscBackend, notebook: Notebook
) -> None:
    lab.insert(EchoCard(), 0)
    watcher = backend.watch(notebook)
    first = notebook.until(bool)[0]
    watcher.close()
    assert isinstance(first, Slots)
    assert [(slot.name, slot.presence, slot.atr) for slot in first.slots] == [
        (readers[0], Presence.PRESENT, CONTACT_ATR),
        (readers[1], Presence.EMPTY, b""),
    ]


def test_an_insertion_and_a_removal_are_told_with_their_count(
    lab: Lab, readers: tuple[str, ...], watch: Watcher, notebook: Notebook
) -> None:
    assert watch.thread.is_alive()
    before = notebook.until_slot(readers[1], lambda slot: slot.presence is Presence.EMPTY).counter
    lab.insert(EchoCard(CONTACTLESS_ATR), 1)
    slot = notebook.until_slot(readers[1], lambda slot: slot.presence is Presence.PRESENT)
    assert (slot.atr, slot.counter) == (CONTACTLESS_ATR, before + 1)
    lab.remove(1)
    slot = notebook.until_slot(readers[1], lambda slot: slot.presence is Presence.EMPTY)
    assert (slot.atr, slot.counter) == (b"", before + 2)


def test_an_exchange_of_cards_makes_the_count_jump(
    lab: Lab, readers: tuple[str, ...], watch: Watcher, notebook: Notebook
) -> None:
    assert watch.thread.is_alive()
    lab.insert(EchoCard(), 0)
    before = notebook.until_slot(readers[0], lambda slot: slot.presence is Presence.PRESENT).counter
    lab.swap(EchoCard(CONTACTLESS_ATR), 0, gap_seconds=0.5)
    slot = notebook.until_slot(readers[0], lambda slot: slot.atr == CONTACTLESS_ATR)
    assert slot.counter == before + 2


def test_an_exchange_while_nobody_waits_is_noticed_by_the_next_wait(
    lab: Lab, readers: tuple[str, ...], backend: PcscBackend, notebook: Notebook
) -> None:
    lab.insert(EchoCard(), 0)
    done = threading.Event()

    def slow(observation: Observation) -> None:
        notebook(observation)
        done.wait(3)

    watcher = backend.watch(slow)
    notebook.until(bool)
    before = notebook.until_slot(readers[0], lambda slot: slot.presence is Presence.PRESENT).counter
    # the same kind of card again: only the count tells
    lab.remove(0)
    lab.insert(EchoCard(), 0)
    done.set()
    slot = notebook.until_slot(readers[0], lambda slot: slot.counter != before)
    watcher.close()
    assert (slot.presence, slot.counter) == (Presence.PRESENT, before + 2)


def test_a_restart_of_pcscd_is_told_as_one_end_and_one_return(
    lab: Lab, readers: tuple[str, ...], watch: Watcher, notebook: Notebook
) -> None:
    assert watch.thread.is_alive()
    lab.insert(EchoCard(), 0)
    notebook.until_slot(readers[0], lambda slot: slot.presence is Presence.PRESENT)
    lab.restart_pcscd()
    notebook.until(lambda told: ServiceUp() in told)
    told = len(notebook.told)
    notebook.until_slot(readers[0], lambda slot: slot.presence is Presence.PRESENT and len(notebook.told) > told - 1)
    assert service_words(notebook.told) == [ServiceDown, ServiceUp]


def test_while_pcscd_is_away_it_is_told_once(
    lab: Lab, readers: tuple[str, ...], watch: Watcher, notebook: Notebook
) -> None:
    assert watch.thread.is_alive()
    assert readers
    lab.kill_pcscd()
    notebook.until(lambda told: ServiceDown in service_words(told))
    time.sleep(0.8)
    words = list(notebook.told)
    lab.restart_pcscd()
    notebook.until(lambda told: ServiceUp() in told)
    assert service_words(words) == [ServiceDown]
    assert [one.reason for one in words if isinstance(one, ServiceDown)] == [Reason.PCSC_UNAVAILABLE]


def test_a_watch_begun_while_pcscd_is_away_says_so_first(
    lab: Lab, readers: tuple[str, ...], backend: PcscBackend, notebook: Notebook
) -> None:
    assert readers
    lab.kill_pcscd()
    watcher = backend.watch(notebook)
    notebook.until(bool)
    lab.restart_pcscd()
    notebook.until(lambda told: isinstance(told[-1], Slots))
    watcher.close()
    assert [type(one) for one in notebook.told[:3]] == [ServiceDown, ServiceUp, Slots]


def test_restarts_leave_no_context_open(lab: Lab, readers: tuple[str, ...], watch: Watcher, notebook: Notebook) -> None:
    assert watch.thread.is_alive()
    assert readers
    opened = []
    # what other tests left behind goes now, and not while we count
    gc.collect()
    for round_ in range(1, 4):
        lab.restart_pcscd()
        notebook.until(lambda told, times=round_: told.count(ServiceUp()) == times)  # type: ignore[misc] # a default binds
        # whoever asks the readers who they are has a context for a moment
        opened.append(steady(lambda: len(os.listdir("/proc/self/fd")), 0.5))  # noqa: PTH208 # only how many there are
    assert len(set(opened)) == 1


def test_a_thread_that_watches_idle_readers_never_wakes_up(lab: Lab, readers: tuple[str, ...], watch: Watcher) -> None:
    assert lab.readers == readers
    status = Path(f"/proc/self/task/{watch.thread.native_id}/status")

    def switches() -> list[str]:
        return [line for line in status.read_text().splitlines() if "ctxt_switches" in line]

    # longer than the second look, a second after the last change, lets wait for itself
    before = steady(switches, 1.3)
    time.sleep(1.3)
    assert switches() == before


def test_a_watch_ends_soon_after_it_is_closed(readers: tuple[str, ...], watch: Watcher) -> None:
    assert readers
    watch.close()
    watch.thread.join(0.5)
    assert not watch.thread.is_alive()


def test_closing_a_watch_does_not_wait_for_a_pcscd_that_hangs(
    lab: Lab, readers: tuple[str, ...], watch: Watcher
) -> None:
    assert readers
    lab.stop_pcscd()
    try:
        began = time.monotonic()
        watch.close()
        took = time.monotonic() - began
        time.sleep(0.1)
        hung = watch.thread.is_alive()
    finally:
        lab.continue_pcscd()
    assert took < 0.1
    assert hung
    watch.thread.join(10)
    assert not watch.thread.is_alive()


def test_nothing_is_told_after_closing(lab: Lab, readers: tuple[str, ...], watch: Watcher, notebook: Notebook) -> None:
    assert readers
    watch.close()
    watch.thread.join(1)
    told = len(notebook.told)
    lab.insert(EchoCard(), 0)
    assert len(notebook.told) == told
