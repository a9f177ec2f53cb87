"""How connections are taken: all of them, and not all at once."""

import asyncio
import contextlib
import errno
import os
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from support.waiting import eventually

from cardd.api.accepting import Door

pytestmark = pytest.mark.asyncio


class House:
    """A door, and who came in when."""

    def __init__(self, listening: Any) -> None:
        self.came: list[float] = []
        self.door = Door(listening, self._serve)

    async def _serve(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came.append(time.monotonic())
        writer.close()

    async def has(self, number: int) -> bool:
        return len(self.came) == number


@contextlib.asynccontextmanager
async def house(path: Path, *, like: type[socket.socket] = socket.socket) -> AsyncIterator[House]:
    listening = like(socket.AF_UNIX)
    listening.bind(os.fspath(path))
    listening.listen(512)
    listening.setblocking(False)
    opened = House(listening)
    opened.door.open()
    try:
        yield opened
    finally:
        opened.door.close()


def _come(path: Path, number: int) -> list[socket.socket]:
    clients = [socket.socket(socket.AF_UNIX) for _ in range(number)]
    for client in clients:
        client.connect(os.fspath(path))
    return clients


def _go(clients: list[socket.socket]) -> None:
    for client in clients:
        client.close()


async def test_what_a_counter_has_of_clients_is_taken_at_once(tmp_path: Path) -> None:
    async with house(tmp_path / "s") as at:
        clients = _come(tmp_path / "s", 64)
        await eventually(lambda: at.has(64))
        assert at.came[-1] - at.came[0] < 0.2
        _go(clients)


async def test_a_crowd_is_taken_bit_by_bit_and_nobody_is_left_out(tmp_path: Path) -> None:
    async with house(tmp_path / "s") as at:
        clients = _come(tmp_path / "s", 164)
        await eventually(lambda: at.has(164))
        assert at.came[-1] - at.came[0] > 0.2
        _go(clients)


class Scarce(socket.socket):
    """A socket for whose first two clients there is no descriptor left."""

    refusals = 2

    def accept(self) -> tuple[socket.socket, Any]:
        if self.refusals:
            self.refusals -= 1
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return super().accept()


async def test_connections_are_taken_again_when_there_are_descriptors_again(tmp_path: Path) -> None:
    async with house(tmp_path / "s", like=Scarce) as at:
        clients = _come(tmp_path / "s", 2)
        await eventually(lambda: at.has(2))
        _go(clients)


async def test_a_door_that_is_closed_takes_nobody_and_may_be_closed_again(tmp_path: Path) -> None:
    async with house(tmp_path / "s") as at:
        at.door.close()
        with socket.socket(socket.AF_UNIX) as late, pytest.raises(ConnectionRefusedError):
            late.connect(os.fspath(tmp_path / "s"))
