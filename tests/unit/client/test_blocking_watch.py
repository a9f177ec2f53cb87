import time
from itertools import islice
from pathlib import Path

import pytest
from support.aside import Aside, counter_aside
from support.scripted_daemon import HANG_UP, answer, beat, event, expulsion, refusal, scripted_daemon, subscribed

from cardd.client.blocking import Watch
from cardd.client.errors import CallError, ProtocolError, UnreachableError
from cardd.client.messages import Arrival
from cardd.client.resume import Reconnect
from cardd.wire.activation import PromptAnswerParams
from cardd.wire.events import EventsSubscribeParams
from cardd.wire.methods import PROMPT_ANSWER, READERS_LIST
from cardd.wire.system import NoParams

QUICKLY = Reconnect(first_s=0.001, most_s=0.01)
EVERYTHING = EventsSubscribeParams()


def watch(directory: Path, *, program: str | None = None, reconnect: Reconnect = QUICKLY) -> Watch:
    return Watch(EVERYTHING, path=directory / "cardd.sock", program=program, reconnect=reconnect)


def happen(aside: Aside, times: int) -> None:
    for _ in range(times):
        aside.do(aside.desk.happen("card.inserted"))


def numbers(arrivals: list[Arrival]) -> list[int]:
    return [int(arrival.event.sequence) for arrival in arrivals]


def test_what_happens_around_a_restart_comes_once_and_in_order(tmp_path: Path) -> None:
    with counter_aside(tmp_path) as aside:
        watching = watch(tmp_path)
        happen(aside, 3)
        came = list(islice(watching.events(5), 2))
        happen(aside, 2)
    with counter_aside(tmp_path) as aside, watching:
        happen(aside, 2)
        came += islice(watching.events(5), 5)
        assert numbers(came) == [1, 2, 3, 4, 5, 6, 7]
        assert list(watching.events(0.05)) == []


def test_an_event_that_a_daemon_repeats_comes_once(tmp_path: Path) -> None:
    scripts = ([subscribed(), event(1), event(2), HANG_UP], [subscribed(1), event(1), event(2), event(3)])
    with scripted_daemon(tmp_path, *scripts) as daemon, watch(tmp_path) as watching:
        assert numbers(list(islice(watching.events(5), 3))) == [1, 2, 3]
        assert [params.get("after") for params in daemon.params("events.subscribe")] == [None, "c.2"]


def test_a_watch_goes_on_from_the_last_beat(tmp_path: Path) -> None:
    scripts = ([subscribed(), event(1), beat(7), HANG_UP], [subscribed(7), event(8)])
    with scripted_daemon(tmp_path, *scripts) as daemon, watch(tmp_path) as watching:
        assert numbers(list(islice(watching.events(5), 2))) == [1, 8]
        assert daemon.params("events.subscribe")[1]["after"] == "c.7"
        assert watching.cursor == "c.8"


def test_an_event_that_was_not_handed_out_comes_again_after_a_call_has_reconnected(tmp_path: Path) -> None:
    scripts = (
        [subscribed(), event(1), event(2), event(3), beat(9), HANG_UP],
        [subscribed(1), answer(readers=[]), event(2), event(3), event(4)],
    )
    with scripted_daemon(tmp_path, *scripts) as daemon, watch(tmp_path) as watching:
        events = watching.events(5)
        assert numbers([next(events)]) == [1]
        assert watching.call(READERS_LIST, NoParams()).readers == []
        assert numbers(list(islice(events, 3))) == [2, 3, 4]
        assert daemon.params("events.subscribe")[1]["after"] == "c.1"


def test_a_client_that_was_too_slow_comes_back(tmp_path: Path) -> None:
    scripts = ([subscribed(), event(1), expulsion("SLOW_CONSUMER"), HANG_UP], [subscribed(1), event(2)])
    with scripted_daemon(tmp_path, *scripts), watch(tmp_path) as watching:
        assert numbers(list(islice(watching.events(5), 2))) == [1, 2]


def test_a_client_that_is_sent_away_for_good_does_not_come_back(tmp_path: Path) -> None:
    with scripted_daemon(tmp_path, [subscribed(), event(1), expulsion("INTERNAL")]), watch(tmp_path) as watching:
        events = watching.events(5)
        next(events)
        with pytest.raises(CallError, match="INTERNAL"):
            next(events)


def test_a_gap_is_told(tmp_path: Path) -> None:
    scripts = ([subscribed(), event(1), HANG_UP], [refusal("CURSOR_GONE", earliest="c.50")])
    with scripted_daemon(tmp_path, *scripts), watch(tmp_path) as watching:
        events = watching.events(5)
        next(events)
        with pytest.raises(CallError) as gone:
            next(events)
        assert (gone.value.reason, gone.value.fact("earliest")) == ("CURSOR_GONE", "c.50")


def test_a_refusal_of_a_call_is_the_callers(tmp_path: Path) -> None:
    with scripted_daemon(tmp_path, [subscribed(), refusal("BUSY")]), watch(tmp_path) as watching:
        with pytest.raises(CallError) as refused:
            watching.call(PROMPT_ANSWER, PromptAnswerParams(prompt="p", pin="246813"))
        assert refused.value.reason == "BUSY"


def test_the_programs_name_is_said_on_every_connection(tmp_path: Path) -> None:
    hello = answer(daemon="cardd", version="0", api=1, stream="c", rights=[], limits=dict.fromkeys(_LIMITS, 1))
    scripts = ([hello, subscribed(), HANG_UP], [hello, subscribed(), event(1)])
    with scripted_daemon(tmp_path, *scripts) as daemon, watch(tmp_path, program="till-3") as watching:
        next(watching.events(5))
        assert [params["client"] for params in daemon.params("session.hello")] == ["till-3", "till-3"]


_LIMITS = ("line_bytes", "connections", "requests")


def test_a_daemon_that_is_away_does_not_hold_up_a_watch_with_a_time(tmp_path: Path) -> None:
    with counter_aside(tmp_path):
        watching = watch(tmp_path, reconnect=Reconnect(first_s=60))
    began = time.monotonic()
    with watching:
        assert list(watching.events(0.1)) == []
    assert time.monotonic() - began < 5


def test_patience_ends(tmp_path: Path) -> None:
    lost: list[Exception] = []
    with counter_aside(tmp_path):
        watching = watch(tmp_path, reconnect=Reconnect(first_s=0.001, most_s=0.01, patience_s=0.05, lost=lost.append))
    with watching, pytest.raises(UnreachableError, match="Start the daemon"):
        next(watching.events(5))
    assert [type(error) for error in lost] == [UnreachableError]


def test_a_watch_without_a_daemon_does_not_begin(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="Start the daemon"):
        watch(tmp_path)


def test_what_is_not_the_contract_ends_a_watch(tmp_path: Path) -> None:
    scripts = ([subscribed(), {"id": None, "result": 1}], [subscribed()])
    with scripted_daemon(tmp_path, *scripts) as daemon:
        with watch(tmp_path) as watching, pytest.raises(ProtocolError):
            next(watching.events(5))
        watch(tmp_path).close()
        assert len(daemon.asked) == 2
