"""How fast events become durable, and what a journal costs that holds ten thousand of them, and a million.

The bare loop is SQLite as a program would use it that wants every event on the disk: one INSERT and one COMMIT each, on
the same disk, with the same settings. Less than that is a file to which as many bytes are written and flushed.
Producers of the journal each wait for their event before they record the next. Who subscribes from the earliest event
reads what the socket's subscriptions read, up to the lines that they send.
"""

import asyncio
import compileall
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from bench.report import ROOT, Bound, Goal, Row, Settings, amount, out, publish
from cardd.api.feed import Feed
from cardd.api.filters import Filter
from cardd.api.services import Limits
from cardd.base.clock import SystemClock
from cardd.base.secret import Secret
from cardd.crypto.sealing import Sm4GcmSealer
from cardd.crypto.signing import Ed25519Signer, verify
from cardd.crypto.tokens import KeyedTokens
from cardd.journal.delivery import Delivery
from cardd.journal.events import ActivationRow, Json, NewEvent
from cardd.journal.evidence import Evidence
from cardd.journal.heads import Notary
from cardd.journal.store import Journal, Keeping

ROUNDS: Final = amount(5, short=1)
EVENTS: Final = amount(1500, short=50)
MANY: Final = 50
READINGS: Final = 2
MILLION: Final = amount(1_000_000, short=1000)
SMALLER: Final = (amount(10_000, short=100), amount(100_000, short=500))
KEY: Final = Secret(b"0123456789abcdef")
TOKENS: Final = KeyedTokens(KEY)
SEALER: Final = Sm4GcmSealer(KEY)
BODY: Final[dict[str, Json]] = {
    "station": "counter-1",
    "kind": "social_security",
    "number": "*****0036",
    "authentic": True,
}
PUBLIC_BYTES: Final = 420
LIMITS: Final = Limits()


def opened(directory: Path) -> Journal:
    """Open a journal as the daemon does, but for the reserve."""
    keeping = Keeping(notary=Notary(Ed25519Signer(Secret(bytes(32))), SystemClock()), tokens=TOKENS)
    return Journal.open(directory, sealer=SEALER, clock=SystemClock(), source="/cardd/bench", keeping=keeping)


def event(number: int) -> NewEvent:
    """Return an event as a card that was identified makes one, sealed part included."""
    return NewEvent("card.identified", "reader-1", BODY, {"number": f"T{number:08}"}, insertion=f"1-{number}")


async def produce(journal: Journal, events: int) -> None:
    for number in range(events):
        await journal.record(event(number))


async def recorded(directory: Path, producers: int, events: int) -> float:
    """Return the microseconds an event took, with so many producers."""
    journal = opened(directory)
    began = time.perf_counter()
    await asyncio.gather(*(produce(journal, events // producers) for _ in range(producers)))
    taken = (time.perf_counter() - began) * 1e6 / events
    await journal.close()
    return taken


async def activations(directory: Path, count: int) -> float:
    """Return the microseconds that the commits of one activation took: eight steps of two events, each signed."""
    journal = opened(directory)
    began = time.perf_counter()
    for number in range(count):
        for step in range(8):
            row = ActivationRow(f"a-{number}", "s", "pharmacy", "x", step < 7, BODY, {"old_card": "O-1"})
            await journal.record(event(step), event(step), activation=row)
    taken = (time.perf_counter() - began) * 1e6 / count
    await journal.close()
    return taken


def bare(directory: Path, events: int) -> float:
    """Return the microseconds an event took in a loop of INSERT and COMMIT."""
    connection = sqlite3.connect(directory / "bare.db", isolation_level=None)
    for setting in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"):
        connection.execute(f"PRAGMA {setting}").fetchall()
    connection.execute("CREATE TABLE events (sequence INTEGER PRIMARY KEY, body BLOB)")
    began = time.perf_counter()
    for number in range(events):
        connection.execute("BEGIN")
        connection.execute("INSERT INTO events VALUES (?, ?)", (number, b"x" * PUBLIC_BYTES))
        connection.execute("COMMIT")
    taken = (time.perf_counter() - began) * 1e6 / events
    connection.close()
    return taken


def raw(directory: Path, events: int) -> float:
    """Return the microseconds an event took that is only written to the end of a file and flushed."""
    handle = os.open(directory / "raw", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    began = time.perf_counter()
    for _ in range(events):
        os.write(handle, b"x" * PUBLIC_BYTES)
        os.fdatasync(handle)
    taken = (time.perf_counter() - began) * 1e6 / events
    os.close(handle)
    return taken


@contextmanager
def folder() -> Iterator[Path]:
    """Yield a folder on the disk of the project: /tmp may be memory."""
    with tempfile.TemporaryDirectory(dir=out()) as path:
        yield Path(path)


async def fill(directory: Path, events: int) -> None:
    """Record until there are so many."""
    journal = opened(directory)
    while journal.last < events:
        begin = journal.last
        await asyncio.gather(
            *(journal.record(*map(event, range(at, at + 100))) for at in range(begin, min(begin + 10_000, events), 100))
        )
    await journal.close()


async def subscribed(directory: Path) -> tuple[float, float]:
    """Return the microseconds until the earliest events' lines are there, and those an event took up to the newest."""
    journal = opened(directory)
    delivery = Delivery(SEALER, "/cardd/bench")
    feed = Feed(journal, delivery, ring_events=LIMITS.ring_events, page_events=LIMITS.page_events)
    first, after = 0.0, 0
    began = time.perf_counter()
    while page := await feed.page(after):
        feed.lines("s-1", Filter(), after, page)
        after = page[-1].sequence
        first = first or time.perf_counter() - began
    taken = time.perf_counter() - began
    feed.close()
    await journal.close()
    return first * 1e6, taken * 1e6 / after


async def reopen(directory: Path) -> float:
    """Return the microseconds until a journal can record, in a process that has its modules."""
    began = time.perf_counter()
    journal = opened(directory)
    await journal.record()
    taken = (time.perf_counter() - began) * 1e6
    await journal.close()
    return taken


def compiled() -> None:
    """Compile the daemon's modules as installing it does: what was edited since would be compiled at each start."""
    compileall.compile_dir(str(ROOT / "cardd"), quiet=1)


def daemon(directory: Path) -> float:
    """Return the microseconds from the start of the process until the daemon says that it is ready.

    For PC/SC, as where it is in service; the pcscd that it looks for is nowhere, so that no other's readers are met.
    """
    config = directory / "cardd.yaml"
    config.write_text("socket: {path: cardd.sock}\nstate_dir: .\nbackend: pcsc\nkeys: {provider: none}\n")
    environment = {**os.environ, "PCSCLITE_CSOCK_NAME": str(directory / "no-pcscd")}
    command = [str(Path(sys.executable).with_name("cardd")), "run", "--config", str(config)]
    began = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        taken = (time.perf_counter() - began) * 1e6
        assert "ready" in line, line
        process.terminate()
    return taken


async def examined(directory: Path) -> float:
    """Return the microseconds that an event takes to be verified, sealed part included."""
    journal = opened(directory)
    began = time.perf_counter()
    report = await Evidence(journal, sealer=SEALER, tokens=TOKENS, verify=verify).examine()
    taken = (time.perf_counter() - began) * 1e6 / report.events
    assert report.whole
    await journal.close()
    return taken


class Beside(Struct):
    """What durable events took, the ways in turns: microseconds, one value a round."""

    flushed: list[float] = msgspec.field(default_factory=list)
    bare: list[float] = msgspec.field(default_factory=list)
    one: list[float] = msgspec.field(default_factory=list)
    many: list[float] = msgspec.field(default_factory=list)
    whole: list[float] = msgspec.field(default_factory=list)

    def take(self) -> None:
        """Measure another round."""
        with folder() as path:
            self.flushed.append(raw(path, EVENTS))
        with folder() as path:
            self.bare.append(bare(path, EVENTS))
        with folder() as path:
            self.one.append(asyncio.run(recorded(path, 1, EVENTS)))
        with folder() as path:
            self.many.append(asyncio.run(recorded(path, MANY, 4 * EVENTS)))
        with folder() as path:
            self.whole.append(asyncio.run(activations(path, 50)))

    def rows(self) -> list[Row]:
        """Return them as rows."""
        return [
            Row.of("write and fdatasync, one event each", self.flushed),
            Row.of("bare SQLite, one event a commit", self.bare),
            Row.of("journal, 1 producer, one event", self.one),
            Row.of(f"journal, {MANY} producers, one event", self.many),
            Row.of("journal, the eight commits of an activation", self.whole),
        ]

    def goals(self) -> list[Goal]:
        """Return what they are held against."""
        return [
            Goal.of(
                f"durable events a second, {producers} producer{'s' * (producers > 1)}, in parts of bare SQLite",
                Bound.AT_LEAST,
                wanted,
                [theirs / ours for theirs, ours in zip(self.bare, values, strict=True)],
            )
            for producers, wanted, values in ((MANY, 5.0, self.many), (1, 0.5, self.one))
        ]


class Filled(Struct):
    """What a journal costs that holds so many events: microseconds, one value a round."""

    events: int
    opening: list[float]
    started: list[float]
    one: list[float]
    many: list[float]
    first: list[float]
    each: list[float]

    def rows(self) -> list[Row]:
        """Return them as rows."""
        with_ = f"{self.events:,} events"
        return [
            Row.of(f"{with_}: until it records", self.opening),
            Row.of(f"{with_}: daemon, process start to ready", self.started),
            Row.of(f"{with_}: 1 producer, one event", self.one),
            Row.of(f"{with_}: {MANY} producers, one event", self.many),
            Row.of(f"{with_}: from the earliest, the first lines", self.first),
            Row.of(f"{with_}: from the earliest to the newest, one event", self.each),
        ]


def filled(path: Path, events: int) -> Filled:
    """Fill a journal up to so many events, and measure what it costs then."""
    asyncio.run(fill(path, events))
    opening = [asyncio.run(reopen(path)) for _ in range(ROUNDS)]
    # once before it counts: keys, reserve and register are made then
    started = [daemon(path) for _ in range(1 + ROUNDS)][1:]
    reading = [asyncio.run(subscribed(path)) for _ in range(READINGS)]
    one = [asyncio.run(recorded(path, 1, EVENTS)) for _ in range(ROUNDS)]
    many = [asyncio.run(recorded(path, MANY, 4 * EVENTS)) for _ in range(ROUNDS)]
    return Filled(events, opening, started, one, many, [first for first, _ in reading], [each for _, each in reading])


def measure(events: int) -> tuple[list[Row], list[Goal]]:
    """Measure round by round, the ways in turns; then journals that hold more and more."""
    beside = Beside()
    for _ in range(ROUNDS):
        beside.take()
    compiled()
    with folder() as nothing, folder() as path:
        (path / "journal.key").write_text(KEY.reveal().hex())
        (path / "journal.key").chmod(0o600)
        sizes = [filled(path, size) for size in (*(size for size in SMALLER if size < events), events)]
        # once each before it counts: keys, reserve and register are made then
        pairs = [(daemon(nothing), daemon(path)) for _ in range(1 + ROUNDS)][1:]
        checking = [asyncio.run(examined(path))]
    empty, full = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    rows = [
        *beside.rows(),
        *(row for size in sizes for row in size.rows()),
        Row.of("daemon, process start to ready, empty journal", empty),
        Row.of(f"daemon, process start to ready, {events:,} events, in turns with it", full),
        Row.of("verify, one event", checking),
    ]
    goals = [
        *beside.goals(),
        Goal.of(
            f"opening a journal with {events:,} events, milliseconds",
            Bound.AT_MOST,
            200,
            [value / 1000 for value in sizes[-1].opening],
        ),
        Goal.of(
            "process start to ready, empty journal, milliseconds",
            Bound.AT_MOST,
            200,
            [value / 1000 for value in empty],
        ),
        Goal.of(
            f"what {events:,} events add to the daemon's start, milliseconds",
            Bound.AT_MOST,
            200,
            [(a - b) / 1000 for a, b in zip(full, empty, strict=True)],
        ),
    ]
    return rows, goals


def main() -> None:
    """Measure, print, write."""
    events = int(sys.argv[1]) if len(sys.argv) > 1 else MILLION
    rows, goals = measure(events)
    settings: Settings = {"rounds": ROUNDS, "events": EVENTS, "producers": MANY, "in the journal": events}
    publish("journal", "durable events, and the start with many of them", rows, settings, goals)


if __name__ == "__main__":
    main()
