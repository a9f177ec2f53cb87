"""SIGHUP: what can be taken up is, the rest is refused in words, and whoever is connected notices."""

import getpass
import json
import os
import pty
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.service_manager import ServiceManager, service_manager

from cardd.base.reasons import Reason
from cardd.client.blocking import Client
from cardd.client.errors import CallError, ExpelledError, UnreachableError
from cardd.wire.activation import ActivationStartParams, Route
from cardd.wire.methods import ACTIVATION_START, SESSION_HELLO, SYSTEM_STATUS
from cardd.wire.session import HelloParams
from cardd.wire.system import NoParams

STATION = 'stations: [{name: one, readers: [{match: {name: "*"}}]}]\n'
JSON = "logs: {format: json}\n"


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ServiceManager]:
    with service_manager(tmp_path, STATION + JSON) as manager:
        manager.start()
        yield manager
        assert manager.stop() == os.EX_OK


def rights(*granted: str) -> str:
    return f"socket: {{rights: [{{user: {getpass.getuser()}, grant: [{', '.join(granted)}]}}]}}\n"


def hello(client: Client) -> set[str]:
    return set(client.call(SESSION_HELLO, HelloParams(client="till")).rights)


def log(manager: ServiceManager) -> list[dict[str, str]]:
    return [json.loads(line) for line in manager.log.read_text(encoding="utf-8").splitlines()]


def test_a_right_that_is_granted_is_there_at_once_on_the_same_connection(manager: ServiceManager) -> None:
    manager.write(STATION + JSON + rights("observe"))
    manager.reload()
    with manager.client() as client:
        assert hello(client) == {"observe"}
        with pytest.raises(CallError) as refused:
            client.call(ACTIVATION_START, ActivationStartParams(route=Route.PHARMACY, station="nowhere"))
        assert refused.value.reason == Reason.FORBIDDEN
        manager.write(STATION + JSON + rights("observe", "activate"))
        manager.reload()
        assert hello(client) == {"observe", "activate"}
        with pytest.raises(CallError) as refused:
            client.call(ACTIVATION_START, ActivationStartParams(route=Route.PHARMACY, station="nowhere"))
        assert refused.value.reason != Reason.FORBIDDEN


def test_whoever_loses_a_right_is_told_and_sent_away_and_comes_again_with_what_is_left(
    manager: ServiceManager,
) -> None:
    with manager.client() as client:
        assert "personal" in hello(client)
        manager.write(STATION + JSON + rights("watch"))
        manager.reload()
        with pytest.raises(ExpelledError) as told:
            next(client.events(5))
        assert told.value.reason == Reason.FORBIDDEN
        with pytest.raises(UnreachableError):
            next(client.events(5))
    with manager.client() as client:
        assert hello(client) == {"observe"}


def test_the_log_level_is_another_one_from_then_on(manager: ServiceManager) -> None:
    with manager.client() as client:
        hello(client)
    assert [line for line in log(manager) if line["level"] == "debug"] == []
    manager.write(STATION + "logs: {format: json, level: debug}\n")
    manager.reload()
    with manager.client() as client:
        hello(client)
    assert [line for line in log(manager) if line["level"] == "debug"] != []


def test_a_route_that_is_no_longer_offered_is_refused_and_a_station_begins_by_itself_as_told(
    manager: ServiceManager,
) -> None:
    auto = 'stations: [{name: one, auto: true, readers: [{match: {name: "*"}}]}]\n'
    with manager.client() as client:
        manager.write(auto + JSON + "activation: {routes: [bank]}\n")
        manager.reload()
        with pytest.raises(CallError) as refused:
            client.call(ACTIVATION_START, ActivationStartParams(route=Route.PHARMACY, station="one"))
        assert refused.value.detail == "route not offered here"
        stations = client.call(SYSTEM_STATUS, NoParams())["stations"]
        assert isinstance(stations, list)
        (station,) = stations
        assert isinstance(station, dict)
        assert station["auto"] is True


def test_what_needs_a_restart_is_named_in_the_log_and_the_status_until_it_is_undone(manager: ServiceManager) -> None:
    manager.write(STATION + JSON + "access: shared\nsocket: {mode: '0600'}\nactivation: {routes: [bank]}\n")
    manager.reload()
    wanted = "socket.mode, access: not changed while running, restart cardd for that (systemctl restart cardd)"
    assert wanted in manager.told[-2]
    assert [line["event"] for line in log(manager) if line["level"] == "warning"][-1] == wanted
    assert [line["taken_up"] for line in log(manager) if "taken_up" in line] == ["activation.routes"]
    manager.write(STATION + JSON)
    manager.reload()
    assert "not changed while running" not in manager.told[-2]


def test_a_file_with_a_mistake_changes_nothing_and_is_told_with_its_place(manager: ServiceManager) -> None:
    manager.write(STATION + JSON + rights("watch") + "acces: shared\n")
    manager.reload()
    assert f"{manager.config}:" in manager.told[-2]
    assert [line for line in log(manager) if line["level"] == "error"][-1]["problem"].startswith(f"{manager.config}:")
    with manager.client() as client:
        assert "personal" in hello(client)


def test_signals_that_come_at_once_end_in_what_the_file_says_last(manager: ServiceManager) -> None:
    assert manager.process is not None
    for grant in ("observe", "read_card", "audit"):
        manager.write(STATION + JSON + rights(grant))
        manager.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 10
    while True:
        with manager.client() as client:
            held = hello(client)
        if held == {"audit"}:
            break
        assert time.monotonic() < deadline, held


def test_a_terminal_that_hangs_up_ends_the_daemon_that_was_started_in_it(tmp_path: Path) -> None:
    with service_manager(tmp_path) as manager:
        ours, theirs = pty.openpty()
        run = ["setsid", "--ctty", "--wait", *manager.command]
        with manager.log.open("wb") as out:
            manager.process = subprocess.Popen(run, env=manager.environment, stdin=theirs, stdout=out, stderr=out)
        os.close(theirs)
        manager.path.unlink(missing_ok=True)
        manager.hear("READY=1")
        # an operator's own signal means what it means elsewhere
        children = Path(f"/proc/{manager.process.pid}/task/{manager.process.pid}/children").read_text().split()
        os.kill(int(children[0]) if children else manager.process.pid, signal.SIGHUP)
        manager.hear("RELOADING=1")
        manager.hear("READY=1")
        os.close(ours)
        manager.hear("STOPPING=1")
        assert manager.process.wait(10) == os.EX_OK
