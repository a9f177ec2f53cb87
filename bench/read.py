"""The full authenticated read of a 3.0 card with a PSAM: the daemon's against a C program's with the same commands.

The daemon's side is one job of the reader's worker: connect, `read_card` with PsamKeys on the module's own worker,
disconnect with a reset. Its commands are recorded once and given to `read.c`. Each side has a card and a module of its
own in one pcscd, because both hold their module open; they take turns in rounds.
"""

import asyncio
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Final

from bench.laboratory import laboratory
from bench.programs import compile_c, microseconds
from bench.recording import Exchange, RecordingBackend, Step, script
from bench.report import Bound, Goal, Row, Settings, amount, publish, ratios
from cardd.base.clock import SystemClock
from cardd.desk.read import read_card
from cardd.desk.reading import CardReading
from cardd.desk.stopped import StoppedKeys
from cardd.iso7816.channel import Channel
from cardd.iso7816.device import Backend
from cardd.keys.psam import PsamKeys
from cardd.pcsc.backend import PcscBackend
from cardd.readers.config import ReaderConfig, ReaderMatch, Role, StationConfig
from cardd.readers.facts import CardInserted, Fact
from cardd.readers.insertion import Insertion
from cardd.readers.registry import Readers

ABOUT: Final = "the full authenticated read of a 3.0 card, PSAM included"
PERSONA: Final = "social-jia-3.0"
MODULE: Final = "psam"
ROUNDS: Final = amount(20, short=2)
COUNT: Final = amount(20, short=2)
WARM_UP: Final = 3
LIMIT_S: Final = 20.0


class Desk:
    """A counter reader and a module's reader, as the daemon has them."""

    def __init__(self, backend: Backend, card: str, sam: str) -> None:
        places = (
            ReaderConfig(ReaderMatch(name=card), Role.COUNTER),
            ReaderConfig(ReaderMatch(name=sam), Role.SAM),
        )
        self.readers = Readers(backend, (StationConfig(readers=places),), clock=SystemClock(), boot=1)
        self.keys = PsamKeys(self.readers)
        self._stopped = StoppedKeys()
        self._inserted: dict[Role, Insertion] = {}
        self._both = asyncio.Event()
        self.readers.subscribe(self._look)
        self.readers.start()

    def _look(self, fact: Fact) -> None:
        if isinstance(fact, CardInserted):
            self._inserted[fact.insertion.role] = fact.insertion
            if len(self._inserted) == len({Role.COUNTER, Role.SAM}):
                self._both.set()

    async def read(self) -> CardReading:
        """Read the card in one job."""
        await asyncio.wait_for(self._both.wait(), LIMIT_S)
        deadline = time.monotonic() + LIMIT_S

        def operation(channel: Channel, insertion: Insertion) -> CardReading:
            return read_card(channel, insertion, self.keys, None, deadline, stopped=self._stopped)

        return await self.readers.run(self._inserted[Role.COUNTER].id, operation, timeout_s=LIMIT_S)

    async def timed(self, count: int) -> list[float]:
        """Return the microseconds of each of so many readings, after a warm-up."""
        times = []
        for _ in range(WARM_UP + count):
            began = time.perf_counter_ns()
            reading = await self.read()
            times.append((time.perf_counter_ns() - began) / 1000)
            assert reading.identity.authentic
            assert reading.holder is not None
        return times[WARM_UP:]


async def record(card: str, sam: str) -> list[Step]:
    """Return the steps of one reading with a module that is open already and whose levels are known."""
    backend = RecordingBackend(PcscBackend())
    desk = Desk(backend, card, sam)
    await desk.read()
    first = len(backend.steps)
    await desk.read()
    steps = backend.steps[first:]
    desk.readers.close()
    # the workers let go of the module behind our back
    await asyncio.sleep(0.5)
    return steps


async def measure(readers: tuple[str, ...], directory: Path) -> tuple[list[Step], list[list[float]], list[list[float]]]:
    """Record, then let C and the desk take turns."""
    card, sam, other_card, other_sam = readers
    steps = await record(card, sam)
    written = directory / "read.script"
    written.write_text(script(steps, card, sam), encoding="ascii")
    words = [str(compile_c("read", directory)), str(written), str(WARM_UP + COUNT), other_card, other_sam]
    desk = Desk(PcscBackend(), card, sam)
    in_c, in_desk = [], []
    for _ in range(ROUNDS):
        in_c.append((await asyncio.to_thread(microseconds, words))[WARM_UP:])
        in_desk.append(await desk.timed(COUNT))
    desk.readers.close()
    return steps, in_c, in_desk


def reading(name: str, about: str) -> None:
    """Measure and publish."""
    with (
        laboratory(PERSONA, MODULE, PERSONA, MODULE) as place,
        tempfile.TemporaryDirectory(prefix="cardd-bench-") as directory,
    ):
        steps, in_c, in_desk = asyncio.run(measure(place.readers, Path(directory)))
    commands = Counter(step.slot for step in steps if isinstance(step, Exchange))
    ways = {"C, winscard": in_c, "desk.read_card in a job": in_desk}
    rows = [Row.of(name, [value for values in rounds for value in values]) for name, rounds in ways.items()]
    goal = Goal.of("time in parts of the C program", Bound.AT_MOST, 1.4, ratios(in_desk, in_c))
    settings: Settings = {
        "persona": PERSONA,
        "rounds": ROUNDS,
        "readings_a_round": COUNT,
        "commands_to_the_card": commands[place.readers[0]],
        "commands_to_the_module": commands[place.readers[1]],
    }
    publish(name, about, rows, settings, [goal])


def main() -> None:
    """Measure, print, write."""
    reading("read", ABOUT)


if __name__ == "__main__":
    main()
