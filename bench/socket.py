"""The local socket: questions, events for many, and cards that are read meanwhile. Cards are behind pcscd elsewhere.

The daemon runs in a process of its own (`socket_house`), which makes events where many are wanted, and has a bare
asyncio server beside it. Subscribers and those who flood the socket are C programs, so that none of them is slower than
the daemon. What is compared takes turns within a round.
"""

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Final

import yaml

from bench.journal import folder
from bench.laboratory import C_ECHO, laboratory
from bench.programs import compile_c
from bench.report import Bound, Goal, Row, Settings, amount, publish, ratios
from cardd.process import SWITCH_S
from cardsim.rig import REGISTER, default_config

ROUNDS: Final = amount(10, short=1)
QUESTIONS: Final = amount(500, short=10)
EVENTS: Final = amount(2000, short=100)
SUBSCRIBERS: Final = 200
PACE: Final = 500
"""Events a second, each for every subscriber."""
READS: Final = amount(40, short=2)
COMPUTING_S: Final = amount(15, short=2) / 10
SWITCHES: Final = (0.005, SWITCH_S)
"""Seconds after which threads take turns: Python's own, and the daemon's."""
PACED_S: Final = amount(15, short=5) / 10
FLOODS: Final = ((8, 1000), (40, 1))
"""Connections, and lines that each writes at once."""
CARDS: Final = ("social-jia-3.0", "psam", *(C_ECHO,) * 14)

_LIMITS: Final = {"connections": 512, "connections_of_user": 512, "requests_of_user": 512, "subscriptions_of_user": 512}
_LIST: Final = b'{"jsonrpc":"2.0","id":1,"method":"readers.list"}\n'
_READ: Final = (
    b'{"jsonrpc":"2.0","id":1,"method":"card.read","params":{"reader":"reader-0","purpose":"bench","wait_s":5}}\n'
)
_CHUNK: Final = 1 << 18
_MIB: Final = 1 << 20


class Line:
    """A connection that sends one line and waits for one."""

    def __init__(self, path: Path) -> None:
        self._sock = socket.socket(socket.AF_UNIX)
        self._sock.connect(str(path))

    def ask(self, line: bytes) -> bytes:
        """Return the answer."""
        self._sock.sendall(line)
        answer = b""
        while not answer.endswith(b"\n"):
            answer += self._sock.recv(_CHUNK)
        return answer

    def timed(self, line: bytes, times: int) -> list[float]:
        """Return the microseconds of so many questions, one after the other; each must have a result."""
        taken = []
        for _ in range(times):
            began = time.perf_counter()
            answer = self.ask(line)
            taken.append((time.perf_counter() - began) * 1e6)
            assert b'"error"' not in answer[:60], answer
        return taken


class Program:
    """Another process that is told things by lines, and answers by lines of numbers."""

    def __init__(self, *words: str | int | Path) -> None:
        self._process = subprocess.Popen(
            [*map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        assert self._read() == "ready"

    def tell(self, *words: object) -> None:
        """Write a line."""
        assert self._process.stdin is not None
        print(*words, file=self._process.stdin, flush=True)

    def numbers(self) -> list[int]:
        """Read a line."""
        return [int(word) for word in self._read().split()]

    def end(self) -> list[int]:
        """Close its input; return what it says last."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        last = self.numbers()
        self._process.wait(20)
        return last

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


class House:
    """The daemon with its cards, and the programs."""

    def __init__(self, directory: Path, readers: tuple[str, ...]) -> None:
        settings = {
            **default_config(readers),
            "socket": {"path": "cardd.sock", "limits": _LIMITS},
            "logs": {"level": "warning", "format": "json"},
        }
        (directory / "cardd.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        shutil.copy(REGISTER, directory / "register.yaml")
        self.path: Final = directory / "cardd.sock"
        self.orders: Final = Program(sys.executable, "-m", "bench.socket_house", directory / "cardd.yaml")
        self.line: Final = Line(self.path)
        while self.line.ask(_LIST).count(b'"present"') < len(readers) or b'"3.0"' not in self.line.ask(_LIST):
            time.sleep(0.05)
        (directory / "answer").write_bytes(self.line.ask(_LIST))
        self.order("echo", directory / "echo.sock", directory / "answer")
        self.echo: Final = Line(directory / "echo.sock")
        self._subscribers, self._flood = compile_c("subscribers", directory), compile_c("flood", directory)

    def order(self, *words: object) -> list[int]:
        """Have the house do something, and return what it answers."""
        self.orders.tell(*words)
        return self.orders.numbers()

    def questions(self) -> tuple[list[float], list[float]]:
        """Return what the bare server and `readers.list` take, in microseconds."""
        bare, ours = [], []
        for _ in range(10):
            bare += self.echo.timed(_LIST, QUESTIONS // 10)
            ours += self.line.timed(_LIST, QUESTIONS // 10)
        return bare, ours

    def fan_out(self) -> tuple[float, float]:
        """Return the deliveries a second, and by how many MiB the daemon has grown."""
        before = self.order("memory")[-1]
        with self.subscribers("card.*") as listening:
            wanted = EVENTS // 2
            listening.tell(wanted)
            began, _, last, _ = self.order("burst", EVENTS)
            ended, sequence, same, _ = listening.numbers()
            # as many lines as events, and the same last one for all: nothing was lost
            assert same == SUBSCRIBERS, same
            assert last - EVENTS < sequence <= last, (sequence, last)
            grown = (self.order("memory")[-1] - before) / _MIB
        return wanted * SUBSCRIBERS / ((ended - began) / 1e9), grown

    def paced(self) -> list[float]:
        """Return what card reads take while events go out, in microseconds."""
        with self.subscribers("card.*") as listening:
            self.orders.tell("pace", PACE, PACED_S)
            time.sleep(0.2)
            taken, until = [], time.monotonic() + PACED_S - 0.3
            while time.monotonic() < until:
                taken += self.line.timed(_READ, 1)
            self.orders.numbers()
            listening.tell(int(PACE * PACED_S))
            _, _, same, _ = listening.numbers()
            assert same == SUBSCRIBERS, same
        return taken

    def flooded(self, connections: int, lines: int) -> tuple[list[float], float]:
        """Return what card reads take while others flood the socket, and how many answers a second those got."""
        flood = Program(self._flood, self.path, connections, lines)
        taken = self.line.timed(_READ, READS)
        answers, nanoseconds = flood.end()
        return taken, answers / nanoseconds * 1e9

    def idle(self) -> list[float]:
        """Return what card reads take by themselves, in microseconds."""
        return self.line.timed(_READ, READS)

    def computing(self, switch_s: float) -> list[float]:
        """Return what card reads take while a thread of the daemon does nothing but Python."""
        self.order("switch", switch_s)
        self.order("compute", COMPUTING_S)
        until, taken = time.monotonic() + COMPUTING_S, []
        while time.monotonic() < until:
            taken += self.line.timed(_READ, 1)
        self.order("switch", SWITCH_S)
        # the last one ended after the thread had
        return taken[:-1] or taken

    @contextlib.contextmanager
    def subscribers(self, glob: str) -> Iterator[Program]:
        """Have all subscribers listen to what comes from now on."""
        listening = Program(self._subscribers, self.path, SUBSCRIBERS, glob)
        try:
            yield listening
        finally:
            listening.end()


def measure(house: House) -> tuple[list[Row], list[Goal]]:
    """Measure round by round, the ways in turns."""
    bare, ours, alone, beside = ([] for _ in range(4))
    floods: dict[tuple[int, int], list[list[float]]] = {flood: [] for flood in FLOODS}
    computing: dict[float, list[list[float]]] = {switch: [] for switch in SWITCHES}
    rates, grown, answers = [], [], []
    for _ in range(ROUNDS):
        echoed, listed = house.questions()
        bare.append(echoed)
        ours.append(listed)
        rate, more = house.fan_out()
        rates.append(rate)
        grown.append(more)
        alone.append(house.idle())
        beside.append(house.paced())
        for flood, taken in floods.items():
            times, answered = house.flooded(*flood)
            taken.append(times)
            answers.append(answered)
        for switch, times_of in computing.items():
            times_of.append(house.computing(switch))
        alone[-1] += house.idle()
    rows = [
        Row.of("bare asyncio server, one question", [*chain(*bare)]),
        Row.of("readers.list, sixteen readers", [*chain(*ours)]),
        Row.of("an event to all subscribers", [SUBSCRIBERS * 1e6 / rate for rate in rates]),
        Row.of("card.read", [*chain(*alone)]),
        Row.of(f"card.read while {PACE * SUBSCRIBERS:,} events a second go out", [*chain(*beside)]),
        *(
            Row.of(f"card.read, {count} connections flood, {lines} lines at once", [*chain(*taken)])
            for (count, lines), taken in floods.items()
        ),
        *(
            Row.of(f"card.read, a thread computes, threads switch every {switch * 1000:g} ms", [*chain(*taken)])
            for switch, taken in computing.items()
        ),
    ]
    goals = [
        Goal.of("readers.list in parts of a bare asyncio server", Bound.AT_MOST, 1.5, ratios(ours, bare)),
        Goal.of(f"deliveries a second to {SUBSCRIBERS} subscribers", Bound.AT_LEAST, 200_000, rates),
        Goal.of("growth meanwhile, MiB", Bound.AT_MOST, 32, grown),
        Goal.of("card.read beside events, in parts of idle", Bound.AT_MOST, 1.2, ratios(beside, alone)),
        *(
            Goal.of(f"card.read beside {count} floods of {lines}, in parts of idle", Bound.AT_MOST, 3, ratios(t, alone))
            for (count, lines), t in floods.items()
        ),
    ]
    print(f"those who flood got {median(answers):,.0f} answers a second")
    return rows, goals


def main() -> None:
    """Measure, print, write."""
    with laboratory(*CARDS) as place, folder() as directory:
        house = House(directory, place.readers)
        rows, goals = measure(house)
        house.orders.end()
    settings: Settings = {
        "rounds": ROUNDS,
        "questions_a_round": QUESTIONS,
        "events_a_round": EVENTS,
        "subscribers": SUBSCRIBERS,
        "paced_events_a_second": PACE,
        "reads_a_round": READS,
    }
    publish("socket", "the local socket", rows, settings, goals)


if __name__ == "__main__":
    main()
