"""A restart or an upgrade while clients come: none is refused, since the service manager holds the socket."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from support.service_manager import ServiceManager, service_manager

from cardd.client.errors import CallError, UnreachableError
from cardd.wire.methods import SESSION_HELLO
from cardd.wire.session import HelloParams

HELLO = b'{"jsonrpc":"2.0","id":1,"method":"session.hello","params":{"client":"till"}}\n'


class Callers:
    """Clients that connect one after the other, for as long as it takes, on several threads."""

    def __init__(self, path: Path, threads: int = 3) -> None:
        self._path = os.fspath(path)
        self._over = threading.Event()
        self.refused: list[OSError] = []
        self.answered = self.turned_away = 0
        self._threads = [threading.Thread(target=self._call) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def _call(self) -> None:
        while not self._over.is_set():
            with socket.socket(socket.AF_UNIX) as line:
                line.settimeout(20)
                try:
                    line.connect(self._path)
                except OSError as error:
                    self.refused.append(error)
                    continue
                try:
                    line.sendall(HELLO)
                    answer = line.recv(65536)
                except ConnectionError:
                    answer = b""
                if answer:
                    self.answered += 1
                else:
                    # taken by the daemon that was leaving: it says goodbye, and the next call is the next one's
                    self.turned_away += 1
            time.sleep(0.002)

    def end(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(30)


def restarted(manager: ServiceManager, end: Callable[[ServiceManager], int], times: int = 2) -> Callers:
    manager.start()
    callers = Callers(manager.path)
    try:
        for _ in range(times):
            time.sleep(0.2)
            end(manager)
            manager.start()
        time.sleep(0.2)
    finally:
        callers.end()
    return callers


def _kill(manager: ServiceManager) -> int:
    assert manager.process is not None
    manager.process.send_signal(signal.SIGKILL)
    return manager.process.wait(10)


def test_nobody_is_refused_while_the_daemon_is_restarted(tmp_path: Path) -> None:
    with service_manager(tmp_path) as manager:
        callers = restarted(manager, ServiceManager.stop)
        assert manager.stop() == os.EX_OK
    assert callers.refused == []
    assert callers.answered > 50
    # at most those that the leaving daemon had taken already
    assert callers.turned_away <= 2 * 3


def test_nobody_is_refused_where_the_daemon_is_killed(tmp_path: Path) -> None:
    with service_manager(tmp_path) as manager:
        callers = restarted(manager, _kill, times=1)
    assert callers.refused == []
    assert callers.answered > 20


def test_whoever_connects_while_there_is_no_daemon_is_served_by_the_next_one(tmp_path: Path) -> None:
    with service_manager(tmp_path) as manager:
        manager.start()
        assert manager.stop() == os.EX_OK
        waiting = [manager.client() for _ in range(40)]
        manager.start()
        try:
            for client in waiting:
                assert client.call(SESSION_HELLO, HelloParams(client="till")).api == 1
        finally:
            for client in waiting:
                client.close()


def test_a_daemon_that_cannot_start_leaves_the_socket_as_it_is(tmp_path: Path) -> None:
    with service_manager(tmp_path, "access: wrong\n") as manager:
        client = manager.client()
        manager.launch()
        assert manager.process is not None
        assert manager.process.wait(10) == os.EX_CONFIG
        manager.write("")
        manager.start()
        try:
            assert client.call(SESSION_HELLO, HelloParams(client="till")).api == 1
        except (CallError, UnreachableError) as error:
            raise AssertionError from error
        finally:
            client.close()
