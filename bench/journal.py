"""How fast events become durable, and how soon a journal with a million of them is ready.

The bare loop is SQLite as a program would use it that wants every event on the disk: one INSERT and one COMMIT each, on
the same disk, with the same settings. Producers of the journal each wait for their event before they record the next.
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

from bench.report import ROOT, Bound, Goal, Row, Settings, publish
from cardd.base.clock import SystemClock
from cardd.base.secret import Secret
from cardd.crypto.sealing import Sm4GcmSealer
from cardd.crypto.signing import Ed25519Signer, verify
from cardd.crypto.tokens import KeyedTokens
from cardd.journal.events import ActivationRow, Json, NewEvent
from cardd.journal.evidence import Evidence
from cardd.journal.heads import Notary
from cardd.journal.store import Journal, Keeping

ROUNDS: Final = 5
EVENTS: Final = 1500
MANY: Final = 50
MILLION: Final = 1_000_000
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


@contextmanager
def folder() -> Iterator[Path]:
    """Yield a folder on the disk of the project: /tmp may be memory."""
    (ROOT / "bench" / "out").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "bench" / "out") as path:
        yield Path(path)


async def fill(directory: Path, events: int) -> None:
    journal = opened(directory)
    for begin in range(0, events, 10_000):
        await asyncio.gather(
            *(journal.record(*map(event, range(at, at + 100))) for at in range(begin, begin + 10_000, 100))
        )
    await journal.close()


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


def measure(events: int) -> tuple[list[Row], list[Goal]]:
    """Measure round by round, the ways in turns."""
    loop, one, many, whole = [], [], [], []
    for _ in range(ROUNDS):
        with folder() as path:
            loop.append(bare(path, EVENTS))
        with folder() as path:
            one.append(asyncio.run(recorded(path, 1, EVENTS)))
        with folder() as path:
            many.append(asyncio.run(recorded(path, MANY, 4 * EVENTS)))
        with folder() as path:
            whole.append(asyncio.run(activations(path, 50)))
    compiled()
    with folder() as nothing, folder() as path:
        asyncio.run(fill(path, events))
        opening = [asyncio.run(reopen(path)) for _ in range(ROUNDS)]
        (path / "journal.key").write_text(KEY.reveal().hex())
        (path / "journal.key").chmod(0o600)
        # once each before it counts: keys, reserve and register are made then
        pairs = [(daemon(nothing), daemon(path)) for _ in range(1 + ROUNDS)][1:]
        checking = [asyncio.run(examined(path))]
    empty, full = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    rows = [
        Row.of("bare SQLite, one event a commit", loop),
        Row.of("journal, 1 producer, one event", one),
        Row.of(f"journal, {MANY} producers, one event", many),
        Row.of("journal, the eight commits of an activation", whole),
        Row.of(f"journal with {events:,} events, until it records", opening),
        Row.of("daemon, process start to ready, empty journal", empty),
        Row.of(f"daemon, process start to ready, {events:,} events", full),
        Row.of("verify, one event", checking),
    ]
    goals = [
        Goal.of(
            "durable events a second, 50 producers, in parts of bare SQLite",
            Bound.AT_LEAST,
            5.0,
            [a / b for a, b in zip(loop, many, strict=True)],
        ),
        Goal.of(
            "durable events a second, 1 producer, in parts of bare SQLite",
            Bound.AT_LEAST,
            0.5,
            [a / b for a, b in zip(loop, one, strict=True)],
        ),
        Goal.of(
            f"opening a journal with {events:,} events, milliseconds",
            Bound.AT_MOST,
            200,
            [value / 1000 for value in opening],
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
