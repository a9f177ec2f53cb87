"""From the report that a C program gets of a card put in to the client's `card.inserted`, on one pcscd.

In between lie the daemon's watching thread, its journal, which has the event on the disk before it tells it, and the
socket. What one fdatasync takes on the same disk is measured in the same rounds, while no card comes.

pcscd sees a card when it looks, and looks at each reader every 400 ms. First it is brought to look at one reader after
the other, 25 ms apart, so that each card is served alone, as at a counter; at the end at all of them together, so that
sixteen cards come at once.
"""

import os
import tempfile
import time
from collections import defaultdict
from itertools import chain
from pathlib import Path
from typing import Final

from bench.counter import Counter, counter
from bench.report import Bound, Goal, Row, Settings, amount, publish
from bench.watching import Watcher, subscribe, told, watcher
from cardd.client.blocking import Client

READERS: Final = 16
ROUNDS: Final = amount(10, short=1)
ROUNDS_TOGETHER: Final = amount(2, short=1)
CARDS: Final = amount(100, short=16)
FLUSHES: Final = amount(100, short=5)
LOOK_EVERY_S: Final = 0.4
BEYOND: Final = 2000.0
"""The goal: so many microseconds, and one fdatasync."""

Times = list[list[float]]
"""By round, microseconds."""

_PAGE: Final = 4096
_KNOWN: Final = frozenset({"card.identified", "card.rejected"})


def cards_through(place: Counter, client: Client, cards: int) -> dict[str, list[int]]:
    """Let so many cards through the readers; return when the client was told of each, by reader."""
    came: dict[str, list[int]] = defaultdict(list)
    waiting = place.readers[:cards]
    for reader in waiting:
        place.put_in(reader)
    left, inside = cards - len(waiting), len(waiting)
    while inside:
        news = told(client)
        reader = news.subject
        if reader not in place.readers:
            # the security module's
            continue
        if news.kind == "card.inserted":
            came[reader].append(news.at)
        elif news.kind in _KNOWN:
            place.take_out(reader)
        elif left:
            left -= 1
            place.put_in(reader)
        else:
            inside -= 1
    return came


def spread(place: Counter, client: Client, seconds: float) -> None:
    """Have pcscd look at the readers one after the other within so many seconds; at first it looks at all together."""
    for number, reader in enumerate(place.readers):
        place.put_in(reader, answers_after_s=number * seconds / len(place.readers))
    identified = 0
    while identified < len(place.readers):
        identified += told(client).kind in _KNOWN
    for reader in place.readers:
        place.take_out(reader)
    while identified:
        identified -= told(client).kind == "card.removed"


def behind(program: Watcher, came: dict[str, list[int]]) -> list[float]:
    """Return by how many microseconds the client was told after the C program."""
    reported: dict[str, list[int]] = defaultdict(list)
    for line in program.lines():
        reported[line.what].append(line.at)
    assert {reader: len(times) for reader, times in reported.items()} == {r: len(times) for r, times in came.items()}
    pairs = (pair for reader, times in came.items() for pair in zip(times, reported[reader], strict=True))
    return [(ours - theirs) / 1000 for ours, theirs in pairs]


def flushes(directory: Path) -> list[float]:
    """Return the microseconds of one fdatasync each, of a page written in place, as far apart as cards are."""
    handle = os.open(directory / "flushed", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    os.pwrite(handle, bytes(_PAGE * FLUSHES), 0)
    os.fsync(handle)
    times = []
    for number in range(FLUSHES):
        time.sleep(LOOK_EVERY_S / READERS)
        os.pwrite(handle, os.urandom(_PAGE), number * _PAGE)
        began = time.perf_counter_ns()
        os.fdatasync(handle)
        times.append((time.perf_counter_ns() - began) / 1000)
    os.close(handle)
    return times


def p99(times: list[float]) -> float:
    """Return the 99th percentile."""
    return Row.of("", times).p99


def measure(place: Counter, client: Client, program: Watcher, rounds: int) -> tuple[Times, Times]:
    """Return the delays and the flushes of each round."""
    late: Times = []
    synced: Times = []
    for _ in range(rounds):
        late.append(behind(program, cards_through(place, client, CARDS)))
        synced.append(flushes(place.state))
    return late, synced


def watching(rounds: int, *, alone: bool) -> tuple[Times, Times]:
    """Measure at a counter of its own."""
    with (
        tempfile.TemporaryDirectory() as directory,
        counter(READERS) as place,
        watcher(place, Path(directory)) as program,
        Client.connect(place.socket) as client,
    ):
        subscribe(client, place)
        spread(place, client, LOOK_EVERY_S if alone else 0.0)
        program.lines()
        return measure(place, client, program, rounds)


def main() -> None:
    """Measure, print, write."""
    late, synced = watching(ROUNDS, alone=True)
    together, _ = watching(ROUNDS_TOGETHER, alone=False)
    rows = [
        Row.of("card.inserted at the client, after C's report", [*chain.from_iterable(late)]),
        Row.of("one fdatasync of a page", [*chain.from_iterable(synced)]),
        Row.of("card.inserted, sixteen cards at once", [*chain.from_iterable(together)]),
    ]
    beyond = [p99(ours) - p99(disk) for ours, disk in zip(late, synced, strict=True)]
    name = "99 % of card.inserted, less 99 % of fdatasync, microseconds"
    settings: Settings = {"readers": READERS, "rounds": ROUNDS, "cards_a_round": CARDS, "flushes_a_round": FLUSHES}
    about = "a card put in: from a C program's report to the client's event"
    publish("watch", about, rows, settings, [Goal.of(name, Bound.AT_MOST, BEYOND, beyond)])


if __name__ == "__main__":
    main()
