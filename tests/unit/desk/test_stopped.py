import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest
from support.readers import ManualClock

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.desk.stopped import StoppedKeys
from cardd.iso7816.apdu import Command
from cardd.iso7816.status import StatusError
from cardd.rules.keys import KeyName

KEY = KeyName.RKSSSE
EXTERNAL_AUTHENTICATION = Command(0x00, 0x82, 0x00, 0x0A, bytes(16))
GET_CHALLENGE = Command(0x00, 0x84, 0x00, 0x00, le=8)
FAR = 100.0
PATIENCE_S = 5.0


def stopped_on(keys: StoppedKeys, station: str, key: KeyName) -> bool:
    try:
        keys.check(station, key)
    except CarddError as error:
        return error.reason is Reason.KEY_STOPPED
    return False


def test_a_key_is_stopped_by_station_and_by_name() -> None:
    keys = StoppedKeys()
    keys.stop("desk", KeyName.RKSSSE)
    assert stopped_on(keys, "desk", KeyName.RKSSSE)
    assert not stopped_on(keys, "desk", KeyName.UKSSSE)
    assert not stopped_on(keys, "other", KeyName.RKSSSE)


def test_a_card_that_said_nothing_to_a_key_is_not_shown_it_again_before_it_is_put_in_anew() -> None:
    keys = StoppedKeys()
    with pytest.raises(CarddError), keys.shown("3-1", KEY):
        raise CarddError(Reason.CARD_REMOVED, "no answer")
    sent: list[str] = []
    with pytest.raises(CarddError) as refused, keys.shown("3-1", KEY):
        sent.append("again")
    assert (refused.value.reason, sent) == (Reason.CARD_MUTE, [])
    for stay, key in (("3-1", KeyName.UKSSSE), ("3-2", KEY)):
        with keys.shown(stay, key):
            sent.append(stay)
    assert sent == ["3-1", "3-2"]


def test_a_card_that_refused_a_key_has_answered() -> None:
    keys = StoppedKeys()
    with pytest.raises(StatusError), keys.shown("3-1", KEY):
        raise StatusError(0x6985, EXTERNAL_AUTHENTICATION)
    with keys.shown("3-1", KEY):
        pass


def test_a_stop_is_told_once() -> None:
    told: list[tuple[str, KeyName]] = []
    keys = StoppedKeys(lambda station, key: told.append((station, key)))
    keys.stop("desk", KeyName.RKSSSE)
    keys.stop("desk", KeyName.RKSSSE)
    assert told == [("desk", KeyName.RKSSSE)]


def test_lifting_takes_back_what_was_named_and_nothing_else() -> None:
    keys = StoppedKeys(stopped=[("desk", KeyName.UKSSSE), ("desk", KEY), ("other", KEY)])
    keys.lift("desk", [KEY])
    assert keys.of("desk") == (KeyName.UKSSSE,)
    assert keys.of("other") == (KEY,)


def test_a_stop_after_a_lifting_is_told_again() -> None:
    told: list[str] = []
    keys = StoppedKeys(lambda station, _key: told.append(station))
    keys.stop("desk", KEY)
    keys.lift("desk", [KEY])
    keys.stop("desk", KEY)
    assert told == ["desk", "desk"]


@pytest.mark.parametrize("word", [0x63C2, 0x63C0, 0x6300, 0x6983])
def test_a_card_that_counted_a_try_stops_the_key(word: int) -> None:
    keys = StoppedKeys()
    with pytest.raises(StatusError), keys.trial("desk", KEY, FAR):
        raise StatusError(word, EXTERNAL_AUTHENTICATION)
    assert keys.of("desk") == (KEY,)


@pytest.mark.parametrize(
    ("word", "command"), [(0x6A88, EXTERNAL_AUTHENTICATION), (0x6984, EXTERNAL_AUTHENTICATION), (0x63C2, GET_CHALLENGE)]
)
def test_a_refusal_that_counts_nothing_stops_nothing(word: int, command: Command) -> None:
    keys = StoppedKeys()
    with pytest.raises(StatusError), keys.trial("desk", KEY, FAR):
        raise StatusError(word, command)
    assert keys.of("desk") == ()


@contextmanager
def second_reader() -> Iterator[Callable[[Callable[[], None]], "Future[None]"]]:
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit


def test_two_cards_in_two_readers_of_a_station_pay_one_try_for_a_wrong_key() -> None:
    clock, tries = ManualClock(), []
    keys = StoppedKeys(clock=clock)
    begun = threading.Event()

    def prove(reader: str) -> None:
        begun.set()
        with keys.trial("desk", KEY, clock.monotonic() + FAR):
            tries.append(reader)

    with second_reader() as other:
        with suppress(StatusError), keys.trial("desk", KEY, clock.monotonic() + FAR):
            waiting = other(lambda: prove("second"))
            begun.wait(PATIENCE_S)
            raise StatusError(0x63C2, EXTERNAL_AUTHENTICATION)
        error = waiting.exception(PATIENCE_S)
    assert isinstance(error, CarddError)
    assert error.reason is Reason.KEY_STOPPED
    assert tries == []


def test_trials_of_other_keys_and_stations_do_not_wait() -> None:
    clock = ManualClock()
    keys, far = StoppedKeys(clock=clock), clock.monotonic() + FAR
    with keys.trial("desk", KEY, far), keys.trial("desk", KeyName.UKSSSE, far), keys.trial("other", KEY, far):
        pass


def test_a_trial_that_hangs_holds_up_the_others_until_its_deadline_only() -> None:
    clock = ManualClock()
    keys = StoppedKeys(clock=clock)
    proved: list[str] = []

    def prove() -> None:
        with keys.trial("desk", KEY, clock.monotonic() + FAR):
            proved.append("second")

    with second_reader() as other, keys.trial("desk", KEY, clock.monotonic() + 1):
        waiting = other(prove)
        clock.advance(1)
        waiting.result(PATIENCE_S)
        assert proved == ["second"]


def test_who_waits_for_a_trial_waits_no_longer_than_its_own_deadline() -> None:
    clock = ManualClock()
    keys = StoppedKeys(clock=clock)

    def prove() -> None:
        with keys.trial("desk", KEY, clock.monotonic() + 1):
            raise AssertionError

    with second_reader() as other, keys.trial("desk", KEY, clock.monotonic() + FAR):
        waiting = other(prove)
        clock.advance(2)
        error = waiting.exception(PATIENCE_S)
    assert isinstance(error, CarddError)
    assert error.reason is Reason.TIMEOUT
