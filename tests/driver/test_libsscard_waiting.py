"""Time-outs, threads, processes, and a daemon that comes and goes."""

import itertools
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support.sscard import Library, Teller, said

Load = Callable[..., Library]

AWAY = (-5, "读卡服务(cardd)未启动或无权连接,请检查服务".encode("gbk"))
LATE = (-11, "读卡服务超时未应答,请重试".encode("gbk"))
LOST = (-11, "与读卡服务的连接中断,操作结果未知,请先核对卡内数据".encode("gbk"))
SETTING = (-14, "环境变量SSCARD_...有误,见docs/libsscard.md".encode("gbk"))
FINE = (0, "510100|测试甲|".encode("gbk"))


def test_a_daemon_that_is_away_is_a_library_that_is_not_there_and_is_found_when_it_comes(
    load: Load, tmp_path: Path
) -> None:
    library = load()
    assert library.call("iReadCardBas", 3) == AWAY
    (tmp_path / "s").touch()
    assert library.call("iReadCardBas", 3) == AWAY
    (tmp_path / "s").unlink()
    with Teller(tmp_path / "s", lambda request: said(request, 0, "510100|测试甲|")):
        assert library.call("iReadCardBas", 3) == FINE


def test_the_socket_of_the_daemons_own_variable_is_taken_where_the_librarys_is_not_set(
    load: Load, teller: Teller
) -> None:
    assert load(SSCARD_SOCKET="", CARDD_SOCKET=str(teller.path)).call("iReadCardBas", 3) == FINE


@pytest.mark.parametrize(
    "wrong",
    [
        {"SSCARD_TIMEOUT": "0"},
        {"SSCARD_TIMEOUT": "-1"},
        {"SSCARD_TIMEOUT": "5s"},
        {"SSCARD_TIMEOUT": "+5"},
        {"SSCARD_TIMEOUT": "86401"},
        {"SSCARD_TIMEOUT": "99999999999999999999"},
        {"SSCARD_PERSON_TIMEOUT": "x"},
        {"SSCARD_CHARSET": "latin1"},
        {"SSCARD_READER": "r" * 256},
        {"SSCARD_READER": "\udcff"},
        {"SSCARD_KEYPAD_DIGITS": "3"},
        {"SSCARD_KEYPAD_DIGITS": "17"},
        {"SSCARD_SOCKET": "/" + "s" * 108},
    ],
)
def test_settings_that_cannot_be_used_are_told_and_not_guessed(
    wrong: dict[str, str], load: Load, teller: Teller
) -> None:
    assert load(**wrong).call("iReadCardBas", 3) == SETTING
    assert teller.asked == []


def test_a_daemon_that_was_started_anew_is_connected_to_again(load: Load, teller: Teller) -> None:
    library = load()
    assert library.call("iReadCardBas", 3) == FINE
    teller.close()
    with Teller(teller.path, teller.reply) as again:
        assert library.call("iReadCardBas", 3) == FINE
        assert len(again.asked[0]) == 1


def test_a_connection_that_breaks_during_a_call_is_told_and_the_request_is_not_sent_again(
    load: Load, teller: Teller
) -> None:
    library, good = load(), teller.reply
    teller.reply = lambda _: None
    assert library.call("iDoDebit", 3, b"", b"") == LOST
    teller.reply = good
    assert library.call("iReadCardBas", 3) == FINE
    assert [[request["params"]["function"] for request in asked] for asked in teller.asked] == [
        ["iDoDebit"],
        ["iReadCardBas"],
    ]


def test_a_call_ends_at_its_time_and_the_late_answer_is_nobodys(load: Load, teller: Teller) -> None:
    library, good = load(SSCARD_TIMEOUT="1"), teller.reply
    answered = threading.Event()

    def slow(request: dict[str, Any]) -> bytes:
        answered.wait(20)
        return said(request, 0, "another card's")

    teller.reply = slow
    started = time.monotonic()
    assert library.call("iReadCardBas", 3) == LATE
    assert 0.9 < time.monotonic() - started < 10
    teller.reply = good
    answered.set()
    assert library.call("iReadCardBas", 3) == FINE


def test_a_call_ends_at_its_time_though_lines_for_others_keep_coming(load: Load, teller: Teller) -> None:
    library = load(SSCARD_TIMEOUT="1")
    teller.reply = lambda _: itertools.repeat(b'{"method":"heartbeat"}\n' * 1000)
    started = time.monotonic()
    assert library.call("iReadCardBas", 3) == LATE
    assert time.monotonic() - started < 20


def test_an_answer_in_many_pieces_is_put_together(load: Load, teller: Teller) -> None:
    def in_pieces(request: dict[str, Any]) -> Iterator[bytes]:
        for byte in said(request, 0, "510100|测试甲|"):
            yield bytes([byte])
            time.sleep(0.001)

    teller.reply = in_pieces
    assert load().call("iReadCardBas", 3) == FINE


def test_a_holder_who_types_gets_time_for_each_password(load: Load, teller: Teller) -> None:
    library, good = load(SSCARD_TIMEOUT="1", SSCARD_PERSON_TIMEOUT="1"), teller.reply

    def typed(request: dict[str, Any]) -> Any:
        time.sleep(2.5)
        return good(request)

    teller.reply = typed
    assert library.call("iVerifyPIN", 3) == LATE  # 1 + 1
    assert library.call("iChangePIN", 3) == FINE  # 1 + 3


def test_a_daemon_that_lets_nobody_in_is_waited_for_no_longer_than_the_time(load: Load, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as full:
        full.bind(str(tmp_path / "s"))
        full.listen(0)
        with socket.socket(socket.AF_UNIX) as first:
            first.connect(str(tmp_path / "s"))
            started = time.monotonic()
            code, _ = load(SSCARD_TIMEOUT="1").call("iReadCardBas", 3)
    assert code == -5
    assert 0.9 < time.monotonic() - started < 10


def test_threads_share_one_connection_and_each_has_its_own_answer(load: Load, teller: Teller) -> None:
    library = load()
    teller.reply = lambda request: said(request, 0, request["params"]["args"][0])
    with ThreadPoolExecutor(16) as pool:
        told = list(pool.map(lambda number: library.call("iReadCardBas", number), range(400)))
    assert told == [(0, str(number).encode()) for number in range(400)]
    assert len(teller.asked) == 1, "steps in two threads would lose their card"


def test_a_thread_waits_for_the_one_before_it_no_longer_than_its_time(load: Load, teller: Teller) -> None:
    library, good = load(SSCARD_TIMEOUT="1"), teller.reply
    inside, answered = threading.Event(), threading.Event()

    def slow(request: dict[str, Any]) -> Any:
        inside.set()
        answered.wait(20)
        return good(request)

    teller.reply = slow
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(library.call, "iChangePIN", 3)
        assert inside.wait(10)
        assert library.call("iReadCardBas", 3) == LATE
        answered.set()
        assert first.result() == FINE
    assert [request["params"]["function"] for request in teller.asked[0]] == ["iChangePIN"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_of_the_process_has_a_connection_of_its_own(load: Load, teller: Teller) -> None:
    library = load()
    assert library.call("iReadCardBas", 3) == FINE
    child = os.fork()
    if child == 0:
        os._exit(0 if library.call("iReadCardBas", 3) == FINE else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert library.call("iReadCardBas", 3) == FINE
    assert [len(asked) for asked in teller.asked] == [2, 1]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_calls_while_the_thread_that_was_calling_is_not_in_it(load: Load, teller: Teller) -> None:
    library, good = load(), teller.reply
    inside, answered = threading.Event(), threading.Event()

    def slow(request: dict[str, Any]) -> Any:
        inside.set()
        answered.wait(20)
        return good(request)

    teller.reply = slow
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(library.call, "iReadCardBas", 3)
        assert inside.wait(10)
        teller.reply = good
        child = os.fork()
        if child == 0:
            os._exit(0 if library.call("iReadCardBas", 3) == FINE else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        answered.set()
        assert first.result() == FINE


def test_a_signal_does_not_break_a_call(load: Load, teller: Teller) -> None:
    """Signals go to the thread that waits: the library's waits go on."""
    library, good = load(), teller.reply
    waiting, done = threading.get_ident(), threading.Event()

    def disturbing(request: dict[str, Any]) -> Any:
        for _ in range(5):
            time.sleep(0.02)
            signal.pthread_kill(waiting, signal.SIGUSR1)
        done.set()
        return good(request)

    teller.reply = disturbing
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        assert library.call("iReadCardBas", 3) == FINE
    finally:
        done.wait(10)
        signal.signal(signal.SIGUSR1, before)
