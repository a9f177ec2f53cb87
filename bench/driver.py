"""The national driver: iReadCardBas through libsscard beside `card.read` and a C program that sends its commands.

The daemon runs in a process of its own (`socket_house`), on a card and a security module behind pcscd. The library is
called by ctypes, `card.read` is a line on the socket and its answer. Before, what `iReadCardBas` sends is recorded in
this process and given to `read.c`, which does the same with a card and a module of its own. All take turns in rounds.
"""

import asyncio
import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

import yaml

from bench.laboratory import laboratory
from bench.programs import compile_c, microseconds
from bench.read import LIMIT_S, MODULE, PERSONA, Desk
from bench.recording import Exchange, RecordingBackend, Step, script
from bench.report import ROOT, Bound, Goal, Row, Settings, amount, publish, ratios
from bench.socket import Line, Program
from cardd.base.clock import SystemClock
from cardd.desk.read import read_person
from cardd.desk.stopped import StoppedKeys
from cardd.driver.reading import check_proven
from cardd.iso7816.channel import Channel
from cardd.pcsc.backend import PcscBackend
from cardd.readers.config import Role
from cardd.readers.insertion import Insertion
from cardsim.rig import REGISTER, default_config

ABOUT: Final = "iReadCardBas of a 3.0 card with a PSAM"
ROUNDS: Final = amount(20, short=1)
COUNT: Final = amount(20, short=2)
WARM_UP: Final = 3
BUFFER: Final = 1024
_LIST: Final = b'{"jsonrpc":"2.0","id":1,"method":"readers.list"}\n'
_READ: Final = (
    b'{"jsonrpc":"2.0","id":1,"method":"card.read","params":{"reader":"reader-0","purpose":"bench",'
    b'"files":"SSSEEF05|07|$SSSEEF06|08|09|4E|$"}}\n'
)
"""Files are named so that the bank account is left out, as `iReadCardBas` leaves it out."""


class ReadingDesk(Desk):
    """Does with a card what `iReadCardBas` does with one whose module's number is known."""

    def __init__(self, backend: RecordingBackend, card: str, sam: str) -> None:
        super().__init__(backend, card, sam)
        self._untried = StoppedKeys()

    async def basic(self) -> None:
        """Read the person once."""
        await asyncio.wait_for(self._both.wait(), LIMIT_S)
        deadline = SystemClock().monotonic() + LIMIT_S

        def operation(channel: Channel, insertion: Insertion) -> None:
            check_proven(read_person(channel, insertion, self.keys, None, deadline, stopped=self._untried).identity)

        await self.readers.run(self._inserted[Role.COUNTER].id, operation, timeout_s=LIMIT_S)


async def record(card: str, sam: str) -> list[Step]:
    """Return the steps of one call, with a module that is open already and whose levels are known."""
    backend = RecordingBackend(PcscBackend())
    desk = ReadingDesk(backend, card, sam)
    await desk.basic()
    first = len(backend.steps)
    await desk.basic()
    steps = backend.steps[first:]
    desk.readers.close()
    # the workers let go of the module behind our back
    await asyncio.sleep(0.5)
    return steps


def daemon(directory: Path, readers: tuple[str, ...]) -> Program:
    """Start the daemon with a card and a module, and wait until it knows both."""
    settings = {**default_config(readers), "socket": {"path": "cardd.sock"}, "logs": {"level": "warning"}}
    directory.joinpath("cardd.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    shutil.copy(REGISTER, directory / "register.yaml")
    program = Program(sys.executable, "-m", "bench.socket_house", directory / "cardd.yaml")
    line = Line(directory / "cardd.sock")
    while line.ask(_LIST).count(b'"present"') < len(readers) or b'"3.0"' not in line.ask(_LIST):
        time.sleep(0.05)
    return program


def library(directory: Path) -> Callable[[int], list[float]]:
    """Build and load the library, and return what times calls of its function."""
    subprocess.run(["make", "-s", "-C", str(ROOT / "driver"), f"OUT={directory / 'built'}"], check=True)
    os.environ["SSCARD_SOCKET"] = str(directory / "cardd.sock")
    function = ctypes.CDLL(str(directory / "built" / "libsscard.so")).iReadCardBas
    function.restype = ctypes.c_long
    buffer = ctypes.create_string_buffer(BUFFER)

    def timed(count: int) -> list[float]:
        taken = []
        for _ in range(WARM_UP + count):
            began = time.perf_counter()
            code = function(3, buffer)
            taken.append((time.perf_counter() - began) * 1e6)
            assert code == 0, buffer.value.decode("gbk")
        return taken[WARM_UP:]

    return timed


def main() -> None:
    """Measure, print, write."""
    with (
        laboratory(PERSONA, MODULE, PERSONA, MODULE) as place,
        tempfile.TemporaryDirectory(prefix="cardd-bench-") as folder,
    ):
        directory, (card, sam, *others) = Path(folder), place.readers
        steps = asyncio.run(record(card, sam))
        directory.joinpath("read.script").write_text(script(steps, card, sam), encoding="ascii")
        words = [str(compile_c("read", directory)), str(directory / "read.script"), str(WARM_UP + COUNT), *others]
        running = daemon(directory, (card, sam))
        line, call = Line(directory / "cardd.sock"), library(directory)
        in_c, on_socket, in_library = [], [], []
        for _ in range(ROUNDS):
            in_c.append(microseconds(words)[WARM_UP:])
            on_socket.append(line.timed(_READ, WARM_UP + COUNT)[WARM_UP:])
            in_library.append(call(COUNT))
        running.end()
    commands = Counter(step.slot for step in steps if isinstance(step, Exchange))
    ways = {"C, winscard": in_c, "card.read": on_socket, "iReadCardBas": in_library}
    rows = [Row.of(name, [value for values in rounds for value in values]) for name, rounds in ways.items()]
    goals = [
        Goal.of("iReadCardBas in parts of card.read", Bound.AT_MOST, 1.1, ratios(in_library, on_socket)),
        Goal.of("iReadCardBas in parts of the C program", Bound.AT_MOST, 2.0, ratios(in_library, in_c)),
    ]
    settings: Settings = {
        "persona": PERSONA,
        "rounds": ROUNDS,
        "calls_a_round": COUNT,
        "commands_to_the_card": commands[card],
        "commands_to_the_module": commands[sam],
    }
    publish("driver", ABOUT, rows, settings, goals)


if __name__ == "__main__":
    main()
