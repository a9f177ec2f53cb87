"""A card read from the command line, as whole processes: `cardctl read`, `opensc-tool` with the same commands, and C.

opensc-tool cannot send a security module's part, because that depends on what the card answers. So this is a card of
the first generation, whose holder everybody may read, and a daemon without keys. What the daemon sends is recorded and
given to the other two; where a card at T=0 says that an answer waits, opensc-tool itself asks for it, as the daemon
does. Only the daemon puts the reading on record, on the disk, before it answers, and takes what was read to pieces.
How long Python takes to do nothing is measured beside them.
"""

import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Final

from bench.house import daemon
from bench.journal import compiled
from bench.laboratory import ECHO, Place, laboratory
from bench.programs import compile_c
from bench.read import LIMIT_S, SETTLED_S
from bench.recording import Exchange, RecordingBackend, Step, script
from bench.report import Quotient, Row, Settings, amount, publish, ratios
from cardd.base.clock import SystemClock
from cardd.desk.read import read_card
from cardd.desk.stopped import StoppedKeys
from cardd.iso7816.channel import Channel
from cardd.pcsc.backend import PcscBackend
from cardd.readers.facts import CardInserted, Fact
from cardd.readers.insertion import Insertion
from cardd.readers.registry import Readers
from cardsim.rig import program

ABOUT: Final = "a card without keys read from the command line, whole processes"
PERSONA: Final = "social-ding-1.0"
ROUNDS: Final = amount(20, short=1)
EACH: Final = amount(5, short=1)
CTL: Final = "cardctl read"
OPENSC: Final = "opensc-tool -s, the same commands"
IN_C: Final = "C, winscard, the same commands"
NOTHING: Final = "python, nothing"

_GET_RESPONSE: Final = 0xC0
_INS: Final = 1
_ANY_LENGTH: Final = b"\x00"


async def record(reader: str) -> list[Step]:
    """Return the steps of a reading without keys."""
    backend = RecordingBackend(PcscBackend())
    readers = Readers(backend, (), clock=SystemClock(), boot=1)
    inserted: asyncio.Future[Insertion] = asyncio.get_running_loop().create_future()

    def note(fact: Fact) -> None:
        if isinstance(fact, CardInserted) and fact.insertion.pcsc_name == reader:
            inserted.set_result(fact.insertion)

    def operation(channel: Channel, insertion: Insertion) -> None:
        deadline = time.monotonic() + LIMIT_S
        assert read_card(channel, insertion, None, None, deadline, stopped=StoppedKeys()).holder is not None

    readers.subscribe(note)
    readers.start()
    insertion = await asyncio.wait_for(inserted, LIMIT_S)
    await asyncio.sleep(SETTLED_S)
    backend.steps.clear()
    await readers.run(insertion.id, operation, timeout_s=LIMIT_S)
    steps = [*backend.steps]
    readers.close()
    await asyncio.sleep(SETTLED_S)
    return steps


def for_opensc(steps: Sequence[Step]) -> list[str]:
    """Return the commands as opensc-tool wants them: one that has data and an answer says so itself."""
    commands: list[bytes] = []
    for step in steps:
        if not isinstance(step, Exchange):
            continue
        if step.command[_INS] == _GET_RESPONSE:
            commands[-1] += _ANY_LENGTH
        else:
            commands.append(step.command)
    return [word for command in commands for word in ("-s", command.hex())]


def timed(words: Sequence[str]) -> list[float]:
    """Return the microseconds of each of some runs of a program."""
    times = []
    for _ in range(EACH):
        began = time.perf_counter()
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        times.append((time.perf_counter() - began) * 1e6)
    return times


def measure(place: Place, directory: Path, socket: Path) -> dict[str, list[list[float]]]:
    """Let the programs take turns."""
    _, theirs, third, other = place.readers
    steps = asyncio.run(record(theirs))
    written = directory / "whole.script"
    written.write_text(script(steps, theirs, other), encoding="ascii")
    ways = {
        CTL: [program("cardctl"), "--socket", str(socket), "read", "reader-0"],
        OPENSC: ["opensc-tool", "-c", "default", "-r", theirs, *for_opensc(steps)],
        IN_C: [str(compile_c("read", directory)), str(written), "1", third, other],
        NOTHING: [sys.executable, "-c", "pass"],
    }
    if shutil.which("opensc-tool") is None:
        print("opensc-tool is not installed and is left out: tools/setup bench installs it")
        del ways[OPENSC]
    times: dict[str, list[list[float]]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, words in ways.items():
            times[way].append(timed(words))
    return times


def main() -> None:
    """Measure, print, write."""
    compiled()
    with (
        laboratory(PERSONA, PERSONA, PERSONA, ECHO) as place,
        tempfile.TemporaryDirectory(prefix="cardd-bench-") as directory,
        daemon(place, Path(directory), place.readers[:1], {"provider": "none"}) as socket,
    ):
        times = measure(place, Path(directory), socket)
    rows = [Row.of(way, [*chain(*rounds)]) for way, rounds in times.items()]
    figures = [
        Quotient.of(f"{CTL}, in parts of {way}", ratios(times[CTL], rounds))
        for way, rounds in times.items()
        if way != CTL
    ]
    settings: Settings = {"persona": PERSONA, "rounds": ROUNDS, "runs_a_round": EACH}
    publish("whole", ABOUT, rows, settings, (), figures)


if __name__ == "__main__":
    main()
