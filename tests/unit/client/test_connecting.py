"""Connecting where many are before us."""

import os
import socket
import threading
import time
from pathlib import Path

import pytest

from cardd.client.address import connected


def _full(path: Path) -> tuple[socket.socket, list[socket.socket]]:
    """Listen, and have a queue with no place left."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.fspath(path))
    listener.listen(0)
    waiting: list[socket.socket] = []
    for _ in range(8):
        client = socket.socket(socket.AF_UNIX)
        client.setblocking(False)
        try:
            client.connect(os.fspath(path))
        except BlockingIOError:
            client.close()
            return listener, waiting
        waiting.append(client)
    raise AssertionError("it takes them all")


def _take_one(listener: socket.socket) -> None:
    client, _ = listener.accept()
    client.close()


def test_a_client_waits_for_its_place(tmp_path: Path) -> None:
    listener, waiting = _full(tmp_path / "s")
    threading.Timer(0.2, _take_one, [listener]).start()
    began = time.monotonic()
    connected(tmp_path / "s").close()
    assert time.monotonic() - began > 0.1
    for one in (listener, *waiting):
        one.close()


def test_a_client_does_not_wait_for_ever(tmp_path: Path) -> None:
    listener, waiting = _full(tmp_path / "s")
    with pytest.raises(BlockingIOError):
        connected(tmp_path / "s", 0.1)
    for one in (listener, *waiting):
        one.close()
