"""The full authenticated read with a PSAM, SM4 and DES: the daemon's against a C program's with the same commands.

The daemon's side is one job of the reader's worker: connect, `read_card` with PsamKeys on the module's own worker,
disconnect with a reset. Its commands are recorded once and given to `read.c`. Each side has a card and a module of its
own in one pcscd, because both hold their module open; they take turns in rounds. Cards and modules have a core of their
own where there are two, as a real card has.
"""

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

from bench.laboratory import apart, laboratory
from bench.programs import compile_c, microseconds
from bench.recording import Exchange, RecordingBackend, Step, script
from bench.report import Bound, Goal, Row, amount, publish, ratios
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

ABOUT: Final = "the full authenticated read of a card, PSAM included"
PERSONA: Final = "social-jia-3.0"
PERSONAS: Final = {"SM4": PERSONA, "DES": "social-bing-2.0"}
"""A card of each algorithm."""
MODULE: Final = "psam"
ROUNDS: Final = amount(20, short=2)
COUNT: Final = amount(20, short=2)
WARM_UP: Final = 3
LIMIT_S: Final = 20.0
SETTLED_S: Final = 0.5


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
    await asyncio.sleep(SETTLED_S)
    return steps


class Pair:
    """One algorithm's cards: the desk with the first two readers, the C program with the other two."""

    def __init__(self, readers: Sequence[str], steps: list[Step], directory: Path) -> None:
        card, sam, other_card, other_sam = readers
        commands = Counter(step.slot for step in steps if isinstance(step, Exchange))
        self.commands = (commands[card], commands[sam])
        self.in_c: list[list[float]] = []
        self.in_desk: list[list[float]] = []
        written = directory / f"{len(tuple(directory.iterdir()))}.script"
        written.write_text(script(steps, card, sam), encoding="ascii")
        program = compile_c("read", directory)
        self._words = [str(program), str(written), str(WARM_UP + COUNT), other_card, other_sam]
        self.desk = Desk(PcscBackend(), card, sam)

    async def take(self) -> None:
        """Measure a round."""
        self.in_c.append((await asyncio.to_thread(microseconds, self._words))[WARM_UP:])
        self.in_desk.append(await self.desk.timed(COUNT))


async def measure(readers: tuple[str, ...], directory: Path) -> Mapping[str, Pair]:
    """Record each algorithm's reading, then let C and the desk take turns."""
    pairs = {}
    for number, algorithm in enumerate(PERSONAS):
        own = readers[4 * number : 4 * number + 4]
        pairs[algorithm] = Pair(own, await record(own[0], own[1]), directory)
        await pairs[algorithm].desk.read()
    # a desk that begins asks every reader for its serial number, and whoever asks has it for a moment
    await asyncio.sleep(SETTLED_S)
    for _ in range(ROUNDS):
        for pair in pairs.values():
            await pair.take()
    for pair in pairs.values():
        pair.desk.readers.close()
    return pairs


def reading(name: str, about: str) -> None:
    """Measure and publish."""
    with (
        apart() as core,
        laboratory(*(card for persona in PERSONAS.values() for card in (persona, MODULE) * 2), core=core) as place,
        tempfile.TemporaryDirectory(prefix="cardd-bench-") as directory,
    ):
        pairs = asyncio.run(measure(place.readers, Path(directory)))
    rows = [
        Row.of(f"{algorithm}, {way}", [*chain(*rounds)])
        for algorithm, pair in pairs.items()
        for way, rounds in (("C, winscard", pair.in_c), ("desk.read_card in a job", pair.in_desk))
    ]
    goals = [
        Goal.of(f"{algorithm}, time in parts of the C program", Bound.AT_MOST, 1.4, ratios(pair.in_desk, pair.in_c))
        for algorithm, pair in pairs.items()
    ]
    settings: dict[str, int | str] = {"rounds": ROUNDS, "readings_a_round": COUNT}
    for algorithm, pair in pairs.items():
        settings[f"{algorithm}: persona"] = PERSONAS[algorithm]
        settings[f"{algorithm}: commands_to_the_card"], settings[f"{algorithm}: commands_to_the_module"] = pair.commands
    publish(name, about, rows, settings, goals)


def main() -> None:
    """Measure, print, write."""
    reading("read", ABOUT)


if __name__ == "__main__":
    main()
