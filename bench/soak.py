"""Cards in and out of sixteen readers, a hundred thousand without pcscd and two thousand with it: what grows meanwhile.

Each card is told to a client as inserted, as what it is, and as removed, before the next one comes into its reader. In
the program itself these are social security cards that prove themselves to a security module; through pcscd they are
echo cards. A look at the daemon, and at pcscd, is taken before and after, when nothing has happened for a moment.
Before the first, so many cards have come in the program that the ring of recent events and the database's cache are
full.
"""

import time
from dataclasses import dataclass
from typing import Final

from bench.counter import Counter, counter
from bench.holdings import Holdings, processor_us
from bench.report import Bound, Goal, Quotient, Row, Settings, amount, publish
from bench.watch import cards_through
from bench.watching import subscribe
from cardd.client.blocking import Client

READERS: Final = 16
PARTS: Final = 5
"""Between the first and the last look."""
STILL_S: Final = amount(3, short=0)
"""After which pcscd has taken the power from cards, and the watch has looked once more."""


@dataclass(frozen=True, slots=True)
class Course:
    """How many cards come where, and by how many MiB the daemon may grow."""

    name: str
    kind: str
    warm_up: int
    cards: int
    growth_mib: float


COURSES: Final = (
    Course("in-process", "bench.inside", amount(5000, short=32), amount(100_000, short=160), 1.0),
    Course("pcscd", "bench.counter", amount(500, short=16), amount(2000, short=20), 4.0),
)


@dataclass(frozen=True, slots=True)
class Run:
    """What was seen: looks at the daemon and at pcscd, microseconds of each part's cards, processor time of a card."""

    looks: list[Holdings]
    pcscd: list[Holdings]
    each: list[float]
    processor: float


def look(place: Counter, looks: list[Holdings], pcscd: list[Holdings]) -> None:
    """Add a look."""
    looks.append(Holdings.of(place.daemon))
    if place.pcscd:
        pcscd.append(Holdings.of(place.pcscd))


def soak(course: Course) -> Run:
    """Let the cards through."""
    looks: list[Holdings] = []
    pcscd: list[Holdings] = []
    each = []
    with counter(READERS, course.kind) as place, Client.connect(place.socket) as client:
        subscribe(client, place)
        cards_through(place, client, course.warm_up)
        time.sleep(STILL_S)
        look(place, looks, pcscd)
        used = processor_us(place.daemon)
        for _ in range(PARTS):
            began = time.perf_counter()
            cards_through(place, client, course.cards // PARTS)
            each.append((time.perf_counter() - began) * 1e6 / (course.cards // PARTS))
            look(place, looks, pcscd)
        used = processor_us(place.daemon) - used
        time.sleep(STILL_S)
        look(place, looks, pcscd)
    return Run(looks, pcscd, each, used / course.cards)


def published(course: Course, run: Run) -> None:
    """Print it and write it."""
    first, last = run.looks[0], run.looks[-1]
    print(f"{course.name}: before {first}; after {course.cards} cards {last}")
    goals = [
        Goal.of("growth of the daemon, MiB", Bound.AT_MOST, course.growth_mib, [last.resident - first.resident]),
        Goal.of("threads of the daemon more", Bound.AT_MOST, 0, [last.threads - first.threads]),
        Goal.of("descriptors of the daemon more", Bound.AT_MOST, 0, [last.descriptors - first.descriptors]),
    ]
    if run.pcscd:
        # a context is a thread and a socket there
        before, after = run.pcscd[0], run.pcscd[-1]
        print(f"pcscd: before {before}; after {after}")
        grown = max(after.threads - before.threads, after.descriptors - before.descriptors)
        goals.append(Goal.of("contexts at pcscd more", Bound.AT_MOST, 0, [grown]))
    figures = [
        Quotient.of("resident, MiB, at each look", [one.resident for one in run.looks]),
        Quotient.of("processor time of the daemon for a card, microseconds", [run.processor]),
        Quotient.of("cards a second", [1e6 / value for value in run.each]),
    ]
    settings: Settings = {"readers": READERS, "cards": course.cards, "warm_up": course.warm_up}
    rows = [Row.of("one card, in and out", run.each)]
    publish(f"soak-{course.name}", f"{course.cards:,} cards, {course.name}", rows, settings, goals, figures)


def main() -> None:
    """Measure, print, write."""
    for course in COURSES:
        published(course, soak(course))


if __name__ == "__main__":
    main()
