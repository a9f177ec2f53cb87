"""One APDU over the same pcscd and cards of one kind: C, pyscard's low level, and cardd's ways.

One of these is the whole daemon's: `card.transmit` under a lease, asked over the socket by a client that does nothing
else. That daemon has a reader and a card of its own, because it and the worker beside it would want the same one.

The ways take turns in rounds, so that what the machine does besides is shared fairly. Each first connects and warms up.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Final

from smartcard import scard  # type: ignore[import-untyped] # it has no types

from bench.house import Asker, daemon, question
from bench.laboratory import ECHO, Place, laboratory
from bench.programs import compile_c, microseconds
from bench.report import Bound, Goal, Quotient, Row, Settings, amount, publish, ratios
from cardd.base.clock import SystemClock
from cardd.iso7816.apdu import Command
from cardd.iso7816.channel import Channel
from cardd.pcsc.backend import PcscBackend
from cardd.readers.facts import CardInserted, Fact
from cardd.readers.insertion import Insertion
from cardd.readers.registry import Readers

GET_CHALLENGE: Final = Command(0x00, 0x84, 0x00, 0x00, le=8)
ABOUT: Final = "one GET CHALLENGE over pcscd and vpcd to an echo card"
ROUNDS: Final = amount(20, short=2)
COUNT: Final = amount(250, short=5)
JOBS: Final = amount(25, short=2)
WARM_UP: Final = 20
BESIDE_C: Final = 1.3
"""The goal: the most that a command through a Channel in a worker may take, in parts of C's."""

IN_C: Final = "C, winscard"
EACH_IN_C: Final = "C, connecting for each"
IN_PYSCARD: Final = "pyscard, low level"
IN_WORKER: Final = "Channel in a worker"
OVER_SOCKET: Final = "card.transmit over the socket, under a lease"
AS_JOBS: Final = "one job each"
TTL_S: Final = 60.0

Times = list[float]
"""Microseconds, one exchange each."""


def in_c(program: Path, place: Place) -> Times:
    """Let the C program send."""
    words = [str(program), place.readers[0], str(WARM_UP + COUNT), GET_CHALLENGE.encode().hex()]
    return microseconds(words)[WARM_UP:]


def each_in_c(program: Path, place: Place) -> Times:
    """Let the C program connect, send and disconnect: what a job of its own does besides."""
    words = [str(program), place.readers[0], str(1 + JOBS), GET_CHALLENGE.encode().hex(), "each"]
    return microseconds(words)[1:]


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


def over_socket(socket: Path) -> Times:
    """Send by `card.transmit`, the card leased before and let go of after."""
    with Asker(socket) as asker:
        lease = asker.call("lease.acquire", reader="reader-0", ttl_s=TTL_S)["lease"]
        line = question("card.transmit", lease=lease, apdu=GET_CHALLENGE.encode().hex())

        def send() -> None:
            answer = asker.send(line)
            assert b'9000"' in answer, answer

        times = timed(send)
        asker.call("lease.release", lease=lease)
    return times


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


async def measure(place: Place, program: Path, socket: Path) -> dict[str, list[Times]]:
    """Let the ways take turns; return the times of each by round."""
    readers = Readers(PcscBackend(), (), clock=SystemClock(), boot=1)
    inserted: asyncio.Queue[Insertion] = asyncio.Queue()

    def note(fact: Fact) -> None:
        if isinstance(fact, CardInserted):
            inserted.put_nowait(fact.insertion)

    readers.start()
    readers.subscribe(note)
    insertion = await asyncio.wait_for(inserted.get(), 5)
    while insertion.pcsc_name != place.readers[0]:
        insertion = await asyncio.wait_for(inserted.get(), 5)
    ways: dict[str, list[Times]] = {
        IN_C: [],
        IN_PYSCARD: [],
        IN_WORKER: [],
        OVER_SOCKET: [],
        EACH_IN_C: [],
        AS_JOBS: [],
    }
    for _ in range(ROUNDS):
        ways[IN_C].append(await asyncio.to_thread(in_c, program, place))
        ways[IN_PYSCARD].append(await asyncio.to_thread(in_pyscard, place))
        ways[IN_WORKER].append(await in_worker(readers, insertion))
        ways[OVER_SOCKET].append(await asyncio.to_thread(over_socket, socket))
        ways[EACH_IN_C].append(await asyncio.to_thread(each_in_c, program, place))
        ways[AS_JOBS].append(await as_jobs(readers, insertion))
    readers.close()
    return ways


def comparing(name: str, about: str) -> None:
    """Measure and publish it."""
    with (
        laboratory(ECHO, ECHO) as place,
        tempfile.TemporaryDirectory() as directory,
        daemon(place, Path(directory), place.readers[1:], {"provider": "none"}) as socket,
    ):
        ways = asyncio.run(measure(place, compile_c("apdu", Path(directory)), socket))
    rows = [Row.of(way, [*chain.from_iterable(rounds)]) for way, rounds in ways.items()]
    beside = Goal.of("a worker in parts of C", Bound.AT_MOST, BESIDE_C, ratios(ways[IN_WORKER], ways[IN_C]))
    settings: Settings = {"rounds": ROUNDS, "commands_a_round": COUNT, "jobs_a_round": JOBS}
    beside_c = {IN_PYSCARD: IN_C, OVER_SOCKET: IN_C, AS_JOBS: EACH_IN_C}
    others = [
        Quotient.of(f"{way}, in parts of {peer}", ratios(ways[way], ways[peer])) for way, peer in beside_c.items()
    ]
    publish(name, about, rows, settings, [beside], others)


def main() -> None:
    """Measure, print, write."""
    comparing("apdu", ABOUT)


if __name__ == "__main__":
    main()
