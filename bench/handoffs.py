"""How many handoffs a second one station makes, and sixteen at once; and what each costs as stations are added.

In the program itself the readers and cards are simulated ones in the daemon's process, with a security module that
serves all stations: how fast the daemon can be. On pcscd the daemon is a process of its own, and its cards lie in the
sixteen readers of one pcscd, which leaves none for a security module: the keys are software ones for tests. There a
handoff lasts from its request to the card's removal, and pcscd looks for cards every 400 ms.

A handoff is a pharmacy's: the number of the old card is given, the social card is put in, proves itself, is activated,
and the register knows. What it costs is processor time: of the process in the program itself, of the daemon on pcscd.
"""

import asyncio
import contextlib
import gc
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import yaml

from bench.activation import Person, activated, folder, person, place, station
from bench.holdings import processor_us
from bench.report import Quotient, Row, Settings, amount, publish, rates
from bench.watching import PATIENCE_S
from cardd.client.blocking import Client
from cardd.wire.activation import ActivationStartParams, OldCard, Route
from cardd.wire.events import EventsSubscribeParams, short_type
from cardd.wire.methods import ACTIVATION_START
from cardsim.card.make import make_card
from cardsim.links.vpcd import VpcdLink
from cardsim.pcscd import MOST_READERS
from cardsim.rig import Rig, literal

SIZES: Final = tuple(1 << power for power in range(amount(5, short=2)))
"""Stations that work at once."""
ROUNDS: Final = amount(5, short=1)
EACH: Final = amount(10, short=1)
"""Handoffs at each station in a round."""
PCSCD_ROUNDS: Final = amount(3, short=1)
PCSCD_EACH: Final = amount(4, short=1)
ROOT_KEY: Final = "00112233445566778899AABBCCDDEEFF"
"""That of the invented cards."""


@dataclass
class Cost:
    """What handoffs took at one number of stations, one value a round: microseconds, each for one handoff."""

    passed: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def add(self, passed_s: float, processor_us_: float, handoffs: int) -> None:
        """Add a round."""
        self.passed.append(passed_s * 1e6 / handoffs)
        self.processor.append(processor_us_ / handoffs)


Costs = Mapping[int, Cost]


async def at_once(directory: Path, people: Sequence[Person], stations: int, cost: Cost) -> None:
    """Have stations in this process make their handoffs, the first of each left out: it warms everything up."""
    shares = [people[at::stations] for at in range(stations)]

    async def work(at: int, share: Sequence[Person]) -> None:
        for one in share:
            await activated(here, Route.PHARMACY, one, at)

    async with place(directory, people, stations) as here:
        await asyncio.gather(*(work(at, share[:1]) for at, share in enumerate(shares)))
        used, began = time.process_time(), time.perf_counter()
        await asyncio.gather(*(work(at, share[1:]) for at, share in enumerate(shares)))
        cost.add(time.perf_counter() - began, (time.process_time() - used) * 1e6, len(people) - stations)


def inside() -> Costs:
    """Measure without pcscd, the numbers of stations in turns."""
    costs = {size: Cost() for size in SIZES}
    with folder() as cards:
        everybody = [person(number, cards) for number in range(1, max(SIZES) * (EACH + 1) + 1)]
        for _ in range(ROUNDS):
            for size, cost in costs.items():
                people = [replace(one, card=make_card(one.persona)) for one in everybody[: size * (EACH + 1)]]
                with folder() as path:
                    asyncio.run(at_once(path, people, size, cost))
                gc.unfreeze()
    return costs


class Hall:
    """Sixteen stations on one pcscd, and a client that sees to all of them."""

    def __init__(self, rig: Rig, people: Iterator[Person], calls: Client, events: Client) -> None:
        assert rig.daemon is not None
        self._rig = rig
        self._daemon = rig.daemon.pid
        self._people = people
        self._calls = calls
        self._events = events
        self._links: dict[str, VpcdLink] = {}
        self._names = {place.name: at for at, place in enumerate(rig.lab.places)}
        self._left: dict[int, int] = {}
        events.subscribe(EventsSubscribeParams())

    def round(self, stations: int, each: int, cost: Cost) -> None:
        """Have so many stations make their handoffs."""
        used, began = processor_us(self._daemon), time.perf_counter()
        self._left = dict.fromkeys(range(stations), each)
        for at in range(stations):
            self._begin(at)
        while self._left:
            self._go_on()
        cost.add(time.perf_counter() - began, processor_us(self._daemon) - used, stations * each)

    def _begin(self, at: int) -> None:
        if not self._left[at]:
            del self._left[at]
            return
        self._left[at] -= 1
        one = next(self._people)
        params = ActivationStartParams(
            route=Route.PHARMACY, station=station(at), old_card=OldCard(number=one.old_number)
        )
        self._calls.call(ACTIVATION_START, params)
        link = self._links[station(at)] = VpcdLink(one.card, self._rig.lab.places[at].port)
        link.start()

    def _go_on(self) -> None:
        event = next(self._events.events(PATIENCE_S)).event
        kind, subject = short_type(event.type), event.subject or ""
        if kind == "activation.completed":
            assert event.data["outcome"] == "activated", event.data
            self._links.pop(subject).close()
        elif kind == "card.removed":
            self._begin(self._names[subject])
        else:
            assert kind not in {"activation.refused", "activation.cancelled", "activation.expired"}, event.data

    def close(self) -> None:
        """Take out what is still inside."""
        while self._links:
            self._links.popitem()[1].close()


@contextlib.contextmanager
def hall(directory: Path, people: Sequence[Person]) -> Iterator[Hall]:
    """Bring it up."""
    (directory / "root.key").write_text(ROOT_KEY, encoding="ascii")
    (directory / "root.key").chmod(0o600)
    register = directory / "people.yaml"
    content = {"region": "510100", "people": [one.row for one in people]}
    register.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    with Rig.start(directory / "rig", stations=MOST_READERS // 2, psam=None, register=register) as rig:
        rig.stop_daemon()
        settings = yaml.safe_load(rig.config.read_text(encoding="utf-8"))
        settings["stations"] = [
            {"name": station(at), "readers": [{"match": {"name": literal(name)}, "role": "counter", "name": name}]}
            for at, name in enumerate(rig.lab.readers)
        ]
        settings["keys"] = {"provider": "software", "tests_only": True, "root_file": str(directory / "root.key")}
        settings["logs"]["level"] = "warning"
        rig.config.write_text(yaml.safe_dump(settings), encoding="utf-8")
        rig.start_daemon()
        with (
            rig.client() as calls,
            rig.client() as events,
            contextlib.closing(Hall(rig, iter(people), calls, events)) as hall,
        ):
            yield hall


def outside() -> Costs:
    """Measure on pcscd, the numbers of stations in turns."""
    costs = {size: Cost() for size in SIZES}
    handoffs = PCSCD_ROUNDS * PCSCD_EACH * sum(SIZES) + MOST_READERS
    with tempfile.TemporaryDirectory(prefix="cardd-bench-") as directory, folder() as cards:
        people = [person(number, cards) for number in range(1, handoffs + 1)]
        with hall(Path(directory), people) as here:
            here.round(max(SIZES), 1, Cost())
            for _ in range(PCSCD_ROUNDS):
                for size, cost in costs.items():
                    here.round(size, PCSCD_EACH, cost)
    return costs


def published(name: str, about: str, costs: Costs, settings: Settings) -> None:
    """Print it and write it."""
    rows = [
        row
        for size, cost in costs.items()
        for row in (
            Row.of(f"{size:2} at once, one handoff, time of all", cost.passed),
            Row.of(f"{size:2} at once, one handoff, processor time", cost.processor),
        )
    ]
    one = costs[SIZES[0]]
    figures = [Quotient.of(f"{size} at once, handoffs a second", rates(costs[size].passed)) for size in SIZES]
    figures += [
        Quotient.of(
            f"processor time of a handoff, {size} at once in parts of one alone",
            [many / alone for many, alone in zip(costs[size].processor, one.processor, strict=True)],
        )
        for size in SIZES[1:]
    ]
    publish(name, about, rows, settings, (), figures)


def main() -> None:
    """Measure, print, write."""
    published("handoffs", "handoffs in the program itself", inside(), {"rounds": ROUNDS, "at each station": EACH})
    settings = {"rounds": PCSCD_ROUNDS, "at each station": PCSCD_EACH}
    published("handoffs-pcscd", "handoffs on one pcscd, no security module", outside(), settings)


if __name__ == "__main__":
    main()
