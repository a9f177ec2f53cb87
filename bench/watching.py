"""The C program `watch.c` and what it has written so far, beside the events that the daemon's client gets."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.counter import Counter
from bench.programs import compile_c
from cardd.client.blocking import Client
from cardd.wire.events import EventsSubscribeParams, short_type

PATIENCE_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the program: when, by CLOCK_MONOTONIC in nanoseconds, and a reader's name, `up` or `down`."""

    at: int
    what: str


@dataclass(frozen=True, slots=True)
class Told:
    """One event at the client: when it had it, by the same clock, what it is and of whom."""

    at: int
    kind: str
    subject: str


class Watcher:
    """The running program. It writes into a file, so that nobody here is woken by it."""

    def __init__(self, shown: Path) -> None:
        self._shown = shown
        self._read = 0

    def await_ready(self) -> None:
        """Wait until it watches."""
        deadline = time.monotonic() + PATIENCE_S
        while not self._shown.read_text(encoding="utf-8").startswith("ready\n"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        self._read = len("ready\n")

    def lines(self) -> list[Line]:
        """Return the lines that were written since the last call."""
        text = self._shown.read_text(encoding="utf-8")[self._read :]
        self._read += len(text)
        pairs = (line.split(" ", 1) for line in text.splitlines())
        return [Line(int(at), what) for at, what in pairs]


@contextlib.contextmanager
def watcher(place: Counter, directory: Path) -> Iterator[Watcher]:
    """Run the program at a counter's pcscd."""
    shown = directory / "watch.out"
    with shown.open("wb") as file:
        program = [str(compile_c("watch", directory))]
        process = subprocess.Popen(program, stdout=file, env={"PCSCLITE_CSOCK_NAME": place.pcscd_socket})
    try:
        running = Watcher(shown)
        running.await_ready()
        yield running
    finally:
        process.kill()
        process.wait()


def subscribe(client: Client, place: Counter) -> None:
    """Begin to listen, and leave behind what was told of the start."""
    client.subscribe(EventsSubscribeParams(after="earliest"))
    attached: set[str] = set()
    while not attached >= set(place.readers):
        attached.add(told(client).subject)


def told(client: Client) -> Told:
    """Return the next event."""
    arrival = next(client.events(PATIENCE_S))
    return Told(time.monotonic_ns(), short_type(arrival.event.type), arrival.event.subject or "")
