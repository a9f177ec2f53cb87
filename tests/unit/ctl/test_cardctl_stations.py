"""`cardctl clear` and `cardctl lend` against a counter on scripted slots."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.aside import cards_aside
from support.socket_desk import SocketDesk

from cardd.ctl.main import main
from cardd.rules.keys import KeyName

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SocketDesk]:
    with cards_aside(tmp_path, "social-jia-3.0") as desk:
        monkeypatch.setenv("CARDD_SOCKET", str(desk.path))
        yield desk


def shown(capfd: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in capfd.readouterr().out.splitlines() if "[debug" not in line]


def test_clear_says_which_keys_were_lifted(desk: SocketDesk, capfd: pytest.CaptureFixture[str]) -> None:
    desk.stopped.stop("desk", KeyName.RKSSSE)
    assert main(["clear", "desk"]) == os.EX_OK
    assert shown(capfd) == ["desk: keys RKSSSE; no readers"]
    assert desk.stopped.of("desk") == ()


def test_clear_as_json_is_the_sockets_answer(desk: SocketDesk, capfd: pytest.CaptureFixture[str]) -> None:
    assert desk.path.exists()
    assert main(["--json", "clear"]) == os.EX_OK
    assert json.loads(shown(capfd)[0]) == {"station": "desk", "lifted": [], "forgotten": []}


def test_clear_of_a_station_that_is_not_there_is_refused(desk: SocketDesk, capfd: pytest.CaptureFixture[str]) -> None:
    assert desk.path.exists()
    assert main(["clear", "nowhere"]) == os.EX_NOINPUT
    assert "NOT_FOUND" in capfd.readouterr().err


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 41", 41), ("kill -TERM $$", 143)])
def test_lend_exits_as_its_command_does_and_takes_the_reader_back(desk: SocketDesk, script: str, code: int) -> None:
    before = desk.desk.readers.insertion_in("front")
    assert main(["lend", "front", "--", "sh", "-c", script]) == code
    assert desk.desk.readers.lent_for("front") is None
    after = desk.desk.readers.insertion_in("front")
    assert after is not None
    assert after != before


def test_lend_leaves_signals_as_it_found_them(desk: SocketDesk) -> None:
    assert desk.path.exists()
    before = [signal.getsignal(number) for number in HANDLED]
    assert main(["lend", "front", "--", "true"]) == os.EX_OK
    assert [signal.getsignal(number) for number in HANDLED] == before


def test_what_is_ignored_stays_ignored_for_the_command(desk: SocketDesk) -> None:
    assert desk.path.exists()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert main(["lend", "front", "--", "sh", "-c", "kill -HUP $$; exit 5"]) == 5
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    "arguments", [["lend"], ["lend", "front"], ["lend", "front", "--"], ["lend", "front", "--nonsense", "true"]]
)
def test_lend_without_a_command_is_a_mistake_and_lends_nothing(desk: SocketDesk, arguments: list[str]) -> None:
    before = desk.desk.readers.insertion_in("front")
    assert main(arguments) == os.EX_USAGE
    assert desk.desk.readers.insertion_in("front") == before
