"""The watching thread against a scripted service."""

import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterable
from typing import cast

import pytest
from support.notebook import Notebook

from cardd.base.reasons import Reason
from cardd.iso7816.device import Observation, Presence, ServiceDown, ServiceUp, Slot, Slots
from cardd.pcsc.flapping import CALM_S
from cardd.pcsc.scard import (
    FOREVER,
    PNP_NOTIFICATION,
    Attribute,
    Disposition,
    PcscError,
    Protocol,
    ReaderState,
    Scard,
    Share,
    State,
)
from cardd.pcsc.sleep import Sleep
from cardd.pcsc.watcher import Watcher, pauses, slot_of

EMPTY = 0x0010
PRESENT = 0x0020
ATR = bytes.fromhex("3B021450")

CANCELLED = 0x80100002
INVALID_PARAMETER = 0x80100004
UNKNOWN_READER = 0x80100009
TIMEOUT = 0x8010000A
COMM_ERROR = 0x80100013
SERVICE_STOPPED = 0x8010001E
NO_SERVICE = 0x8010001D
UNSUPPORTED_FEATURE = 0x8010001F
SHARING_VIOLATION = 0x8010000B
SECURITY_VIOLATION = 0x8010006A


MOST_STATES = 16
"""libpcsclite refuses a wait for more."""


LISTING = 10
"""So many milliseconds after a card came or went the readers are listed anew."""


class Service:
    """A smart-card service whose next steps are put in a queue; each wait with a limit takes one of them."""

    def __init__(self, **readers: int) -> None:
        self.readers = {name: ReaderState(name, event) for name, event in readers.items()}
        self.steps: queue.Queue[Callable[[], None]] = queue.Queue()
        self.refusals: list[int] = []
        self.limits: list[int] = []
        self.asked: list[str] = []
        self.listings = 0
        self.before_answering: Callable[[], object] = lambda: None
        self.contexts: set[int] = set()
        self.numbers = itertools.count(1)

    def establish_context(self) -> int:
        if self.refusals:
            raise PcscError("SCardEstablishContext", self.refusals.pop(0))
        context = next(self.numbers)
        self.contexts.add(context)
        return context

    def release_context(self, context: int) -> None:
        self.contexts.discard(context)

    def cancel(self, context: int) -> None:
        if context in self.contexts:
            self.steps.put(lambda: fail(CANCELLED))

    def connect(self, _: int, reader: str, share: Share, __: Protocol) -> tuple[int, Protocol]:
        assert share is Share.DIRECT, "watching powers no card"
        self.asked.append(reader)
        self.before_answering()
        if reader not in self.readers:
            raise PcscError("SCardConnect", UNKNOWN_READER)
        if self.readers[reader].event & State.EXCLUSIVE:
            raise PcscError("SCardConnect", SHARING_VIOLATION)
        return next(self.numbers), Protocol.NONE

    def disconnect(self, _: int, disposition: Disposition) -> None:
        assert disposition is Disposition.LEAVE

    def attribute(self, _: int, which: Attribute) -> bytes:
        if which is not Attribute.SERIAL_NUMBER:
            raise PcscError("SCardGetAttrib", UNSUPPORTED_FEATURE)
        return b"serial\0"

    def list_readers(self, _: int) -> tuple[str, ...]:
        self.listings += 1
        return tuple(name for name, state in self.readers.items() if not state.event & State.UNKNOWN)

    def wait(self, _: int, known: Iterable[ReaderState], limit: int) -> tuple[ReaderState, ...]:
        names = [state.name for state in known]
        if len(names) > MOST_STATES:
            fail(INVALID_PARAMETER)
        if limit:
            self.limits.append(limit)
            self._step(limit)()
        if not set(names) <= {*self.readers, PNP_NOTIFICATION}:
            fail(UNKNOWN_READER)
        return tuple(self.readers.get(name, ReaderState(name)) for name in names)

    def _step(self, limit: int) -> Callable[[], None]:
        """Return the next step. A short limit ends by itself, a longer one only where a test says so."""
        try:
            return self.steps.get(timeout=limit / 1000 if limit == LISTING else 5)
        except queue.Empty:
            if limit == LISTING:
                return lambda: fail(TIMEOUT)
            raise

    def set(self, name: str, event: int, atr: bytes = b"") -> None:
        self.readers[name] = ReaderState(name, event, atr)

    def unplug(self, name: str) -> None:
        del self.readers[name]

    def then(self, step: Callable[[], None]) -> None:
        """Let the next wait end after something has happened."""
        self.steps.put(step)

    def then_fail(self, code: int) -> None:
        self.steps.put(lambda: fail(code))


def fail(code: int) -> None:
    raise PcscError("SCardGetStatusChange", code)


@pytest.fixture
def service() -> Service:
    return Service(one=EMPTY)


@pytest.fixture
def watcher(service: Service, notebook: Notebook) -> Iterable[Watcher]:
    watcher = Watcher(cast("Scard", service), notebook, own=lambda name: name == "ours")
    yield watcher
    watcher.close()
    if watcher.thread.is_alive():
        watcher.thread.join(2)


@pytest.fixture
def notebook() -> Notebook:
    return Notebook()


def kinds(notebook: Notebook) -> list[str]:
    return [type(told).__name__ for told in notebook.told]


def test_a_reader_that_appears_between_listing_and_waiting_is_found_by_the_second_look(
    service: Service, watcher: Watcher, notebook: Notebook
) -> None:
    watcher.start()
    notebook.until(bool)
    # the service says nothing of it: the wait began after it had come
    service.set("two", EMPTY)
    service.then_fail(TIMEOUT)
    slot = notebook.until_slot("two", lambda _: True)
    assert slot.presence is Presence.EMPTY


def test_only_a_wait_after_which_nothing_was_new_is_followed_by_one_without_a_limit(
    service: Service, watcher: Watcher, notebook: Notebook
) -> None:
    watcher.start()
    service.then(lambda: service.set("one", 0x10000 | PRESENT, ATR))
    service.then_fail(TIMEOUT)
    service.then_fail(TIMEOUT)
    service.then(lambda: service.set("one", 0x20000 | EMPTY))
    notebook.until_slot("one", lambda slot: slot.counter == 2)
    notebook.until(lambda _: len(service.limits) == 6)
    assert service.limits == [1000, LISTING, 1000, FOREVER, LISTING, 1000]


def test_a_card_is_told_before_the_readers_are_listed_anew(service: Service) -> None:
    listed_when_told: list[int] = []
    notebook = Notebook()

    def take(observation: Observation) -> None:
        listed_when_told.append(service.listings)
        notebook(observation)

    watcher = Watcher(cast("Scard", service), take, own=lambda _: False)
    watcher.start()
    notebook.until(bool)
    service.then(lambda: service.set("one", 0x10000 | PRESENT, ATR))
    notebook.until_slot("one", lambda slot: slot.presence is Presence.PRESENT)
    notebook.until(lambda _: service.listings == 2)
    watcher.close()
    assert listed_when_told == [1, 1]


def test_a_reader_that_appears_together_with_a_card_is_told_a_moment_after_it(
    service: Service, watcher: Watcher, notebook: Notebook
) -> None:
    watcher.start()
    notebook.until(bool)

    def come() -> None:
        service.set("one", 0x10000 | PRESENT, ATR)
        service.set("two", EMPTY)

    service.then(come)
    notebook.until_slot("two", lambda _: True)
    looks = [[slot.name for slot in told.slots] for told in notebook.told if isinstance(told, Slots)]
    assert looks == [["one"], ["one"], ["one", "two"]]


def test_while_another_program_holds_a_reader_there_is_a_look_each_second(
    service: Service, watcher: Watcher, notebook: Notebook
) -> None:
    service.set("one", PRESENT | State.EXCLUSIVE, ATR)
    watcher.start()
    for _ in range(3):
        service.then_fail(TIMEOUT)
    notebook.until(lambda _: len(service.limits) == 4)
    assert service.limits == [1000] * 4


def test_our_own_hold_is_no_reason_to_look_again(service: Service, watcher: Watcher, notebook: Notebook) -> None:
    service.set("ours", PRESENT | State.EXCLUSIVE, ATR)
    watcher.start()
    service.then_fail(TIMEOUT)
    notebook.until(lambda _: len(service.limits) == 2)
    assert service.limits == [1000, FOREVER]
    assert notebook.until_slot("ours", lambda _: True).in_use is False


def test_as_many_readers_as_the_service_can_hold_are_watched(
    service: Service, watcher: Watcher, notebook: Notebook
) -> None:
    for number in range(1, MOST_STATES):
        service.set(f"reader {number}", EMPTY)
    watcher.start()
    service.then(lambda: service.set("reader 15", 0x10000 | PRESENT, ATR))
    notebook.until_slot("reader 15", lambda slot: slot.presence is Presence.PRESENT)
    service.then(lambda: service.unplug("reader 15"))
    service.then_fail(TIMEOUT)
    notebook.until(lambda _: notebook.slot("reader 15") is None)
    assert kinds(notebook) == ["Slots"] * 3


def test_a_reader_that_goes_is_no_longer_told(service: Service, watcher: Watcher, notebook: Notebook) -> None:
    service.set("two", EMPTY)
    watcher.start()
    notebook.until_slot("two", lambda _: True)
    service.then(lambda: service.unplug("two"))
    notebook.until(lambda _: notebook.slot("two") is None)
    assert notebook.slot("one") is not None


def test_a_reader_that_goes_is_never_told_as_one_that_does_not_answer(
    service: Service, watcher: Watcher, notebook: Notebook
) -> None:
    service.set("two", EMPTY)
    watcher.start()
    notebook.until_slot("two", lambda _: True)
    service.then(lambda: service.set("two", State.UNKNOWN | State.UNAVAILABLE))
    notebook.until(lambda _: notebook.slot("two") is None)
    looks = [slot.presence for told in notebook.told if isinstance(told, Slots) for slot in told.slots]
    assert set(looks) == {Presence.EMPTY}


def test_looks_that_show_nothing_new_are_not_told(service: Service, watcher: Watcher, notebook: Notebook) -> None:
    watcher.start()
    for _ in range(5):
        service.then(lambda: None)
    notebook.until(lambda _: len(service.limits) == 6)
    assert kinds(notebook) == ["Slots"]


def test_an_exchange_between_two_looks_is_told_by_the_count_alone(
    service: Service, watcher: Watcher, notebook: Notebook
) -> None:
    service.set("one", 0x10000 | PRESENT, ATR)
    watcher.start()
    notebook.until(bool)
    service.then(lambda: service.set("one", 0x30000 | PRESENT, ATR))
    notebook.until(lambda told: len(told) == 2)
    assert notebook.told[1] == Slots((Slot("one", Presence.PRESENT, 3, ATR, serial="serial"),))


def test_a_card_seen_before_the_service_counted_it_is_told_once(
    service: Service, watcher: Watcher, notebook: Notebook
) -> None:
    watcher.start()
    service.then(lambda: service.set("one", PRESENT, ATR))
    service.then(lambda: service.set("one", 0x10000 | PRESENT, ATR))
    service.then(lambda: service.set("one", 0x20000 | EMPTY))
    notebook.until_slot("one", lambda slot: slot.counter == 2)
    looks = [(slot.presence, slot.counter) for told in notebook.told if isinstance(told, Slots) for slot in told.slots]
    assert looks == [(Presence.EMPTY, 0), (Presence.PRESENT, 1), (Presence.EMPTY, 2)]


def test_each_end_of_the_service_is_told_once_and_each_return_once(
    service: Service, watcher: Watcher, notebook: Notebook
) -> None:
    watcher.start()
    notebook.until(bool)
    service.refusals = [NO_SERVICE] * 3
    service.then_fail(COMM_ERROR)
    notebook.until(lambda told: len(told) == 4)
    assert kinds(notebook) == ["Slots", "ServiceDown", "ServiceUp", "Slots"]
    assert len(service.contexts) == 1


def test_r01_a_fault_of_our_own_ends_the_watch_no_more_than_one_of_the_service(
    service: Service, watcher: Watcher, notebook: Notebook
) -> None:
    def stumble() -> None:
        raise ValueError

    watcher.start()
    notebook.until(bool)
    service.then(stumble)
    notebook.until(lambda told: len(told) == 4)
    assert kinds(notebook) == ["Slots", "ServiceDown", "ServiceUp", "Slots"]
    service.then(lambda: service.set("one", 0x10000 | PRESENT, ATR))
    notebook.until_slot("one", lambda slot: slot.presence is Presence.PRESENT)
    assert len(service.contexts) == 1


def test_another_reason_for_being_away_is_told(service: Service, watcher: Watcher, notebook: Notebook) -> None:
    service.refusals = [NO_SERVICE, NO_SERVICE, SECURITY_VIOLATION, SECURITY_VIOLATION]
    watcher.start()
    notebook.until(lambda told: ServiceUp() in told)
    downs = [told.reason for told in notebook.told if isinstance(told, ServiceDown)]
    assert downs == [Reason.PCSC_UNAVAILABLE, Reason.PCSC_DENIED]


def test_a_service_that_is_away_for_two_reasons_in_turn_is_told_once_with_each(
    service: Service, watcher: Watcher, notebook: Notebook
) -> None:
    service.refusals = [NO_SERVICE, SERVICE_STOPPED] * 3
    watcher.start()
    notebook.until(lambda told: ServiceUp() in told)
    downs = [(told.reason, told.text_code) for told in notebook.told if isinstance(told, ServiceDown)]
    assert downs == [(Reason.PCSC_UNAVAILABLE, ""), (Reason.PCSC_UNAVAILABLE, "pcsc_other_version")]


def test_a_refusal_that_is_not_repeated_was_a_dying_service_and_is_not_told(
    service: Service, watcher: Watcher, notebook: Notebook
) -> None:
    service.refusals = [SECURITY_VIOLATION, NO_SERVICE, SECURITY_VIOLATION]
    watcher.start()
    notebook.until(lambda told: ServiceUp() in told)
    downs = [told.reason for told in notebook.told if isinstance(told, ServiceDown)]
    assert downs == [Reason.PCSC_UNAVAILABLE]


def test_a_service_that_refuses_once_and_then_serves_again_is_another_one_and_that_is_told(
    service: Service, watcher: Watcher, notebook: Notebook
) -> None:
    service.set("one", 0x10000 | PRESENT, ATR)
    watcher.start()
    notebook.until(bool)
    service.then_fail(SECURITY_VIOLATION)
    notebook.until(lambda told: len(told) == 4)
    assert kinds(notebook) == ["Slots", "ServiceDown", "ServiceUp", "Slots"]
    assert cast("ServiceDown", notebook.told[1]).reason is Reason.PCSC_UNAVAILABLE


def test_closing_ends_the_wait_for_a_service_that_is_away(
    service: Service, watcher: Watcher, notebook: Notebook
) -> None:
    service.refusals = [NO_SERVICE] * 1000
    watcher.start()
    notebook.until(bool)
    watcher.close()
    watcher.thread.join(0.5)
    assert not watcher.thread.is_alive()


def test_a_cancel_that_came_too_early_is_repeated(watcher: Watcher, service: Service, notebook: Notebook) -> None:
    lost = threading.Event()

    def lose_the_first(context: int) -> None:
        if lost.is_set():
            Service.cancel(service, context)
        lost.set()

    service.cancel = lose_the_first  # type: ignore[method-assign]
    watcher.start()
    notebook.until(bool)
    watcher.close()
    watcher.thread.join(1)
    assert not watcher.thread.is_alive()
    assert service.contexts == set()


def test_a_reader_is_asked_once_who_it_is_and_told_with_the_answer(
    service: Service, watcher: Watcher, notebook: Notebook
) -> None:
    watcher.start()
    service.then(lambda: service.set("two", EMPTY))
    service.then(lambda: service.set("one", 0x10000 | PRESENT, ATR))
    notebook.until_slot("one", lambda slot: slot.counter == 1)
    assert service.asked == ["one", "two"]
    assert {slot.serial for told in notebook.told if isinstance(told, Slots) for slot in told.slots} == {"serial"}


def test_a_reader_that_does_not_say_who_it_is_holds_up_nothing_and_is_believed_later(
    service: Service, watcher: Watcher, notebook: Notebook
) -> None:
    answering = threading.Event()
    service.before_answering = lambda: answering.wait(5)
    watcher.start()
    assert notebook.until_slot("one", lambda _: True).serial is None
    for _ in range(2):
        service.then_fail(TIMEOUT)
    notebook.until(lambda _: len(service.limits) == 3)
    # as long as the answer may come it is looked for
    assert FOREVER not in service.limits
    answering.set()
    notebook.until(lambda _: all(thread.name != "pcsc-device" for thread in threading.enumerate()))
    service.then_fail(TIMEOUT)
    notebook.until_slot("one", lambda slot: slot.serial == "serial")


def test_a_reader_that_another_program_holds_is_asked_again_who_it_is(
    service: Service, watcher: Watcher, notebook: Notebook
) -> None:
    service.set("one", PRESENT | State.EXCLUSIVE, ATR)
    watcher.start()
    assert notebook.until_slot("one", lambda _: True).serial is None
    service.then(lambda: service.set("one", PRESENT, ATR))
    notebook.until_slot("one", lambda slot: slot.serial == "serial")


def test_after_the_service_came_back_the_readers_are_asked_again(
    service: Service, watcher: Watcher, notebook: Notebook
) -> None:
    watcher.start()
    service.then_fail(COMM_ERROR)
    notebook.until(lambda told: ServiceUp() in told)
    assert service.asked == ["one", "one"]
    assert len(service.contexts) == 1


def test_a_bouncing_card_is_told_once_it_is_still(service: Service, watcher: Watcher, notebook: Notebook) -> None:
    watcher.start()
    service.then(lambda: service.set("one", 0x10000 | PRESENT, ATR))
    service.then(lambda: service.set("one", 0x20000 | EMPTY))
    service.then(lambda: service.set("one", 0x30000 | PRESENT, ATR))
    service.then(lambda: service.set("one", 0x50000 | PRESENT, ATR))
    notebook.until_slot("one", lambda slot: slot.counter == 5)
    assert [slot.presence for told in notebook.told if isinstance(told, Slots) for slot in told.slots] == [
        Presence.EMPTY,
        Presence.PRESENT,
        *[Presence.EMPTY] * 3,
    ]
    notebook.until(lambda _: len(service.limits) == 6)
    # it does not sleep longer than until the contacts may have come to rest
    assert service.limits[-1] <= CALM_S * 1000 + 1
    time.sleep(service.limits[-1] / 1000)
    service.then_fail(TIMEOUT)
    assert notebook.until_slot("one", lambda slot: slot.presence is Presence.PRESENT).atr == ATR


def test_a_card_that_is_in_when_the_service_comes_back_and_counts_anew_has_not_bounced(
    service: Service, watcher: Watcher, notebook: Notebook
) -> None:
    service.set("one", 0x10000 | PRESENT, ATR)
    watcher.start()
    notebook.until(bool)

    def restart() -> None:
        service.set("one", PRESENT, ATR)
        fail(COMM_ERROR)

    service.then(restart)
    notebook.until(lambda _: kinds(notebook) == ["Slots", "ServiceDown", "ServiceUp", "Slots"])
    last = notebook.told[-1]
    assert isinstance(last, Slots)
    assert [(slot.presence, slot.counter, slot.atr) for slot in last.slots] == [(Presence.PRESENT, 0, ATR)]


def test_after_a_sleep_everything_is_told_as_if_the_service_had_gone_and_come_back(
    service: Service, notebook: Notebook
) -> None:
    service.set("one", 0x10000 | PRESENT, ATR)
    asleep = [7.0]
    watcher = Watcher(cast("Scard", service), notebook, own=lambda _: False, sleep=Sleep(lambda: asleep[0]))
    watcher.start()
    notebook.until_slot("one", lambda _: True)
    # nothing changes in any reader: only the kernel's alarm says so
    asleep[0] += 30
    watcher.wake()
    notebook.until(lambda told: len(told) == 4)
    watcher.close()
    watcher.thread.join(2)
    assert kinds(notebook) == ["Slots", "ServiceDown", "ServiceUp", "Slots"]
    down = notebook.told[1]
    assert isinstance(down, ServiceDown)
    assert "slept" in down.detail
    assert service.contexts == set()


def test_a_clock_that_was_set_is_no_sleep(service: Service, watcher: Watcher, notebook: Notebook) -> None:
    watcher.start()
    notebook.until(bool)
    watcher.wake()
    notebook.until(lambda _: len(service.limits) == 2)
    assert kinds(notebook) == ["Slots"]


def test_the_pauses_grow_from_50_ms_to_half_a_second_and_stay_there() -> None:
    assert list(itertools.islice(pauses(), 6)) == [0.05, 0.1, 0.2, 0.4, 0.5, 0.5]


@pytest.mark.parametrize(
    ("flags", "atr", "presence"),
    [
        (State.EMPTY, b"", Presence.EMPTY),
        (State.PRESENT, ATR, Presence.PRESENT),
        (State.PRESENT | State.INUSE, ATR, Presence.PRESENT),
        (State.PRESENT | State.MUTE, b"", Presence.MUTE),
        (State.PRESENT | State.UNPOWERED, b"", Presence.UNPOWERED),
        (State.PRESENT | State.UNPOWERED, ATR, Presence.PRESENT),
        (State.UNKNOWN, b"", Presence.UNAVAILABLE),
        (State.UNAVAILABLE | State.EMPTY, b"", Presence.UNAVAILABLE),
        (State.UNAWARE, b"", Presence.UNAVAILABLE),
    ],
)
def test_the_flags_of_a_reader_say_what_is_in_it(flags: State, atr: bytes, presence: Presence) -> None:
    slot = slot_of(ReaderState("one", int(flags) | 0x50000, atr), own=False)
    assert slot.presence is presence
    assert slot.counter == 5
    assert slot.atr == (atr if presence is Presence.PRESENT else b"")


def test_the_script_of_this_file_has_no_call_that_the_real_layer_lacks() -> None:
    names = {name for name in vars(Service) if not name.startswith("_")} - {"set", "unplug", "then", "then_fail"}
    assert names <= set(vars(Scard))
