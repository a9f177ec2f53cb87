"""The daemon in a process of its own, with somebody in it who makes events: `python -m bench.socket_house CONFIG`.

Prints `ready`, then does what it is told, a line each: `burst N` has fifty record N events between them, as fast as
these become durable, every other one of a type that subscribers to `card.*` get; `pace N S` records N a second for S
seconds, in a hundred groups each, all of that type; `memory` does nothing. These are answered with `BEGAN ENDED
SEQUENCE RSS`: nanoseconds by CLOCK_MONOTONIC, the last event, bytes of memory. `echo PATH FILE` begins a bare asyncio
server that answers each line with what is in the file, `switch S` has threads take turns every S seconds, and
`compute S` has a thread do nothing but Python for S seconds; these are answered alike. It ends with its standard input.
"""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from bench.journal import BODY
from cardd.config import load_config
from cardd.daemon import Daemon
from cardd.journal.events import NewEvent
from cardd.journal.store import Journal
from cardd.logs import configure
from cardd.process import SWITCH_S
from cardd.service import Standing, settle

PRODUCERS: Final = 50
TICKS: Final = 100
KINDS: Final = ("card.identified", "reader.attached")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


def event(number: int) -> NewEvent:
    """Return an event as a card that was identified makes one, every other under another name."""
    kind = KINDS[number % len(KINDS)]
    return NewEvent(kind, "reader-1", BODY, {"number": f"T{number:08}"}, insertion=f"1-{number}")


class _House:
    """Does what it is told."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._echo: asyncio.Server | None = None
        self.orders: dict[str, Callable[..., Awaitable[None]]] = {
            "burst": self.burst,
            "pace": self.pace,
            "memory": self.memory,
            "echo": self.echo,
            "switch": self.switch,
            "compute": self.compute,
        }

    async def burst(self, events: str) -> None:
        began = time.monotonic_ns()
        share = int(events) // PRODUCERS
        await asyncio.gather(*(self._produce(range(at * share, at * share + share)) for at in range(PRODUCERS)))
        self._tell(began)

    async def pace(self, rate: str, seconds: str) -> None:
        began = time.monotonic_ns()
        group = int(rate) // TICKS
        for tick in range(int(float(seconds) * TICKS)):
            for number in range(group):
                self._journal.record(event(2 * (tick * group + number)))
            await asyncio.sleep(began / 1e9 + (tick + 1) / TICKS - time.monotonic())
        await self._journal.record()
        self._tell(began)

    async def memory(self) -> None:
        self._tell(time.monotonic_ns())

    async def echo(self, path: str, answer: str) -> None:
        line = await asyncio.to_thread(Path(answer).read_bytes)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while await reader.readline():
                writer.write(line)
                await writer.drain()
            writer.close()

        self._echo = await asyncio.start_unix_server(serve, path)
        self._tell(time.monotonic_ns())

    async def switch(self, seconds: str) -> None:
        sys.setswitchinterval(float(seconds))
        self._tell(time.monotonic_ns())

    async def compute(self, seconds: str) -> None:
        until = time.monotonic() + float(seconds)

        def work() -> None:
            while time.monotonic() < until:
                sum(number * number for number in range(100))

        threading.Thread(target=work).start()
        self._tell(time.monotonic_ns())

    async def _produce(self, numbers: range) -> None:
        for number in numbers:
            await self._journal.record(event(number))

    def _tell(self, began: int) -> None:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        print(began, time.monotonic_ns(), self._journal.last, pages * _PAGE, flush=True)


async def serve(config: Path) -> None:
    settings = load_config(config)
    logs = configure(settings.logs.level, settings.logs.format)
    sys.setswitchinterval(SWITCH_S)
    daemon = await Daemon.start(settings, logs, Standing())
    settle()
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    house = _House(daemon._journal)  # noqa: SLF001 - no client can make a thousand events a second
    print("ready", flush=True)
    while line := await orders.readline():
        verb, *words = line.decode().split()
        await house.orders[verb](*words)
    await daemon.stop()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
    os._exit(os.EX_OK)
