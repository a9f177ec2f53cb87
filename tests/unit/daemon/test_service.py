import contextlib
import os
import socket
import time
from pathlib import Path

from cardd.service import Standing, notify, passed_socket, reloading


def test_readiness_reaches_the_service_manager(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(2)
        assert notify("READY=1", {"NOTIFY_SOCKET": str(path)})
        assert manager.recv(64) == b"READY=1"


def test_an_abstract_address_is_understood() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0cardd-test-{os.getpid()}")
        manager.settimeout(2)
        assert notify("READY=1", {"NOTIFY_SOCKET": f"@cardd-test-{os.getpid()}"})
        assert manager.recv(64) == b"READY=1"


def test_without_a_manager_nothing_happens(tmp_path: Path) -> None:
    assert not notify("READY=1", {})
    assert not notify("READY=1", {"NOTIFY_SOCKET": str(tmp_path / "absent")})


def test_a_socket_meant_for_another_process_is_left_alone() -> None:
    assert passed_socket({}) is None
    assert passed_socket({"LISTEN_PID": "1", "LISTEN_FDS": "1"}) is None
    assert passed_socket({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "0"}) is None


def test_the_standing_tells_the_newest_word_on_each_matter_in_one_line() -> None:
    told: list[str] = []
    standing = Standing(told.append)
    standing.say("socket", "serving /run/cardd/cardd.sock")
    standing.say("pcsc", "pcscd is away:\nstart it")
    standing.say("pcsc", "pcscd is away: start it")
    standing.say("pcsc", "")
    assert told == [
        "STATUS=serving /run/cardd/cardd.sock",
        "STATUS=serving /run/cardd/cardd.sock; pcscd is away: start it",
        "STATUS=serving /run/cardd/cardd.sock",
    ]


def test_a_reload_has_a_beginning_with_its_time_and_an_end_also_where_it_fails() -> None:
    told: list[str] = []
    before = time.monotonic_ns() // 1000
    with contextlib.suppress(ZeroDivisionError), reloading(told.append):
        raise ZeroDivisionError
    begun, since = told[0].splitlines()
    assert begun == "RELOADING=1"
    assert since.startswith("MONOTONIC_USEC=")
    assert before <= int(since.partition("=")[2]) <= time.monotonic_ns() // 1000
    assert told[1] == "READY=1"
