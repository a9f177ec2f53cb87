"""One APDU over the same pcscd and the same card: C, pyscard's low level, and cardd's way.

The ways take turns in rounds, so that what the machine does besides is shared fairly. Each first connects and warms up.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from smartcard import scard  # type: ignore[import-untyped] # it has no types

from bench.laboratory import ECHO, Place, laboratory
from bench.programs import compile_c, microseconds
from bench.report import Row, publish
from cardd.base.clock import SystemClock
from cardd.iso7816.apdu import Command
from cardd.iso7816.channel import Channel
from cardd.pcsc.backend import PcscBackend
from cardd.readers.facts import CardInserted, Fact
from cardd.readers.insertion import Insertion
from cardd.readers.registry import Readers

GET_CHALLENGE: Final = Command(0x00, 0x84, 0x00, 0x00, le=8)
ROUNDS: Final = 10
COUNT: Final = 500
JOBS: Final = 50
WARM_UP: Final = 20

Times = list[float]
"""Microseconds, one exchange each."""


def in_c(program: Path, place: Place) -> Times:
    """Let the C program send."""
    words = [str(program), place.readers[0], str(WARM_UP + COUNT), GET_CHALLENGE.encode().hex()]
    return microseconds(words)[WARM_UP:]


def in_pyscard(place: Place) -> Times:
    """Send with pyscard's low level."""
    _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
    code, card, protocol = scard.SCardConnect(context, place.readers[0], scard.SCARD_SHARE_EXCLUSIVE, 3)
    assert code == 0, hex(code)
    command = list(GET_CHALLENGE.encode())

    def send() -> None:
        code, response = scard.SCardTransmit(card, protocol, command)
        assert (code, response[-2]) == (0, 0x90)

    times = timed(send)
    scard.SCardDisconnect(card, scard.SCARD_LEAVE_CARD)
    scard.SCardReleaseContext(context)
    return times


async def in_worker(readers: Readers, insertion: Insertion) -> Times:
    """Send through a Channel inside one job of the reader's worker."""

    def operation(channel: Channel, _: Insertion) -> Times:
        return timed(lambda: expect_challenge(channel))

    return await readers.run(insertion.id, operation, timeout_s=60)


async def as_jobs(readers: Readers, insertion: Insertion) -> Times:
    """Make each command a job of its own: to the worker, connect, command, disconnect, back to the loop."""

    def operation(channel: Channel, _: Insertion) -> None:
        expect_challenge(channel)

    times = []
    for _ in range(JOBS):
        began = time.perf_counter_ns()
        await readers.run(insertion.id, operation, timeout_s=60)
        times.append((time.perf_counter_ns() - began) / 1000)
    return times


def expect_challenge(channel: Channel) -> None:
    """Send the command and check the answer."""
    assert channel.send(GET_CHALLENGE).sw == 0x9000


def timed(send: Callable[[], None]) -> Times:
    """Return how long each of COUNT calls took, after a warm-up."""
    for _ in range(WARM_UP):
        send()
    times = []
    for _ in range(COUNT):
        began = time.perf_counter_ns()
        send()
        times.append((time.perf_counter_ns() - began) / 1000)
    return times


async def measure(place: Place, program: Path) -> list[Row]:
    """Let the ways take turns."""
    readers = Readers(PcscBackend(), (), clock=SystemClock(), boot=1)
    inserted: asyncio.Queue[Insertion] = asyncio.Queue()

    def note(fact: Fact) -> None:
        if isinstance(fact, CardInserted):
            inserted.put_nowait(fact.insertion)

    readers.start()
    readers.subscribe(note)
    insertion = await asyncio.wait_for(inserted.get(), 5)
    ways: dict[str, Times] = {
        "C, winscard": [],
        "pyscard, low level": [],
        "Channel in a worker": [],
        "one job each": [],
    }
    for _ in range(ROUNDS):
        ways["C, winscard"] += await asyncio.to_thread(in_c, program, place)
        ways["pyscard, low level"] += await asyncio.to_thread(in_pyscard, place)
        ways["Channel in a worker"] += await in_worker(readers, insertion)
        ways["one job each"] += await as_jobs(readers, insertion)
    readers.close()
    return [Row.of(name, times) for name, times in ways.items()]


def main() -> None:
    """Measure, print, write."""
    with laboratory(ECHO) as place, tempfile.TemporaryDirectory() as directory:
        rows = asyncio.run(measure(place, compile_c("apdu", Path(directory))))
    settings = {"rounds": ROUNDS, "commands_a_round": COUNT, "jobs_a_round": JOBS}
    publish("apdu", "one GET CHALLENGE over pcscd and vpcd to an echo card", rows, settings)


if __name__ == "__main__":
    main()
