from pathlib import Path

import pytest
from support.aside import counter_aside

from cardd.api.services import Limits
from cardd.client import blocking
from cardd.client.address import DEFAULT_SOCKET, socket_path
from cardd.client.blocking import Client
from cardd.client.errors import CallError, UnreachableError
from cardd.wire.activation import ActivationIdParams
from cardd.wire.cards import CardReadParams
from cardd.wire.events import EventsSubscribeParams
from cardd.wire.methods import ACTIVATION_GET, CARD_READ, READERS_LIST
from cardd.wire.system import NoParams


def test_events_that_come_before_an_answer_are_kept(tmp_path: Path) -> None:
    with counter_aside(tmp_path) as aside, Client.connect(aside.desk.path) as client:
        client.subscribe(EventsSubscribeParams())
        for _ in range(3):
            aside.do(aside.desk.happen("card.inserted"))
        assert client.call(READERS_LIST, NoParams()).readers
        events = client.events(5)
        assert [int(next(events).event.sequence) for _ in range(3)] == [1, 2, 3]


def test_events_end_at_the_given_time(tmp_path: Path) -> None:
    with counter_aside(tmp_path) as aside, Client.connect(aside.desk.path) as client:
        client.subscribe(EventsSubscribeParams())
        assert list(client.events(0.05)) == []
        aside.do(aside.desk.happen("card.inserted"))
        assert len(list(client.events(0.2))) == 1


def test_a_beat_moves_the_cursor(tmp_path: Path) -> None:
    with (
        counter_aside(tmp_path, limits=Limits(heartbeat_s=0.02)) as aside,
        Client.connect(aside.desk.path) as client,
    ):
        subscribed = client.subscribe(EventsSubscribeParams(types=["card.*"]))
        aside.do(aside.desk.happen("pcsc.down"))
        assert list(client.events(0.2)) == []
        assert client.cursors[subscribed.subscription] != subscribed.cursor


def test_a_refusal_is_an_error_with_its_reason(tmp_path: Path) -> None:
    with counter_aside(tmp_path) as aside, Client.connect(aside.desk.path) as client:
        with pytest.raises(CallError) as refused:
            client.call(ACTIVATION_GET, ActivationIdParams(activation="act-9"))
        assert refused.value.reason == "NOT_FOUND"
        assert client.call(READERS_LIST, NoParams()).readers


def test_a_daemon_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocking, "ANSWER_S", 0.1)
    with counter_aside(tmp_path) as aside, Client.connect(aside.desk.path) as client:
        aside.desk.cards.present.clear()
        with pytest.raises(TimeoutError):
            client.call(CARD_READ, CardReadParams(wait_s=1))


def test_the_time_that_a_request_asks_for_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocking, "ANSWER_S", 0.1)
    with counter_aside(tmp_path) as aside, Client.connect(aside.desk.path) as client:
        aside.desk.cards.present.clear()
        with pytest.raises(CallError) as refused:
            client.call(CARD_READ, CardReadParams(wait_s=0.3), wait_s=0.3)
        assert refused.value.reason == "NO_CARD"


def test_a_daemon_that_goes_is_told_with_a_remedy(tmp_path: Path) -> None:
    with counter_aside(tmp_path) as aside, Client.connect(aside.desk.path) as client:
        client.subscribe(EventsSubscribeParams())
        aside.do(aside.desk.server.close())
        with pytest.raises(UnreachableError, match="Connect again"):
            next(client.events(5))
        with pytest.raises(UnreachableError):
            client.call(READERS_LIST, NoParams())


def test_a_socket_is_found_by_argument_then_environment_then_default() -> None:
    environment = {"CARDD_SOCKET": "/env.sock"}
    assert socket_path("/given.sock", environment) == Path("/given.sock")
    assert socket_path(None, environment) == Path("/env.sock")
    assert socket_path(None, {}) == Path(DEFAULT_SOCKET) == Path("/run/cardd/cardd.sock")


@pytest.mark.parametrize("make", ["nothing", "a stale socket", "a file"])
def test_nobody_to_talk_to_is_one_sentence(tmp_path: Path, make: str) -> None:
    path = tmp_path / "cardd.sock"
    if make == "a stale socket":
        with counter_aside(tmp_path) as aside:
            kept = tmp_path / "kept.sock"
            kept.hardlink_to(aside.desk.path)
        path = kept
    elif make == "a file":
        path.touch()
    with pytest.raises(UnreachableError) as unreachable:
        Client.connect(path)
    assert str(path) in str(unreachable.value)
    assert "\n" not in str(unreachable.value)
