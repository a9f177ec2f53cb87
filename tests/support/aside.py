"""A counter on a thread of its own, for clients that block."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import TypeVar

from cardd.api.rights import Rights
from cardd.api.services import Limits
from support.counter import Counter, counter
from support.socket_desk import SocketDesk, socket_desk

T = TypeVar("T")


class Aside:
    """Runs coroutines on the counter's loop from the test's thread."""

    def __init__(self, desk: Counter, loop: asyncio.AbstractEventLoop) -> None:
        self.desk = desk
        self._loop = loop

    def do(self, work: Coroutine[object, object, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def begin(self, work: Coroutine[object, object, object]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop)


@contextlib.contextmanager
def cards_aside(directory: Path, persona: str | Path) -> Iterator[SocketDesk]:
    """Run a counter with a virtual card in it beside the test until the end of the block."""
    ready: list[SocketDesk] = []
    started, stop = threading.Event(), threading.Event()

    async def run() -> None:
        async with socket_desk(directory) as desk:
            await desk.insert(persona)
            ready.append(desk)
            started.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    try:
        assert started.wait(10)
        yield ready[0]
    finally:
        stop.set()
        thread.join(10)


@contextlib.contextmanager
def counter_aside(directory: Path, *, rights: Rights | None = None, limits: Limits | None = None) -> Iterator[Aside]:
    """Run a counter beside the test until the end of the block."""
    ready: list[Aside] = []
    started, stop = threading.Event(), threading.Event()

    async def run() -> None:
        async with counter(directory, rights=rights, limits=limits) as desk:
            ready.append(Aside(desk, asyncio.get_running_loop()))
            started.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    try:
        assert started.wait(10)
        yield ready[0]
    finally:
        stop.set()
        thread.join(10)
