"""Many customers at once: runs the cells of a matrix at a house with several stations, and judges all of them."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog

from cardd.wire.activation import ActivationResult
from support.matrix_clerk import VARIATIONS, Clerk, Customer, Variation
from support.matrix_house import House
from support.matrix_judge import Centre, Told, judge
from support.people import Person, invent

C = TypeVar("C")
T = TypeVar("T")

STATIONS: Final = 8
_BAD: Final = frozenset({"error", "critical"})
_ALL_EVENTS: Final = 1_000_000


@dataclass
class Ran:
    """One cell that was run: who was served, how it ended."""

    customer: Customer
    view: ActivationResult

    @property
    def end(self) -> str:
        return str(self.view.outcome or self.view.reason or self.view.state)


Serve = Callable[[Clerk, C], Awaitable[ActivationResult]]
"""Serves one customer as a cell of the matrix says."""


class Matrix:
    """A house, and people who come one after the other."""

    def __init__(self, house: House, people: int) -> None:
        self.house = house
        _, invented = invent(house.directory, people)
        self._people: Iterator[tuple[int, Person]] = iter(enumerate(invented))
        self.customers: list[Customer] = []
        self.strangers: list[Customer] = []

    def customer(self, variation: Variation) -> Customer:
        """Have the next person come."""
        index, person = next(self._people)
        customer = Customer(index, person, variation)
        self.customers.append(customer)
        return customer

    def stranger(self) -> Customer:
        """Have a person's cards here without the person."""
        index, person = next(self._people)
        stranger = Customer(index, person, VARIATIONS[0])
        self.strangers.append(stranger)
        return stranger

    async def run(self, variation: Variation, cells: Sequence[C], serve: Serve[C]) -> list[tuple[C, Ran]]:
        """Serve one customer for each cell, at as many stations at once as there are; in the order of the cells."""
        waiting = list(enumerate(cells))[::-1]
        ran: dict[int, tuple[C, Ran]] = {}

        async def at(number: int) -> None:
            while waiting:
                index, cell = waiting.pop()
                clerk = Clerk(self.house, number, self.customer(variation))
                ran[index] = cell, Ran(clerk.customer, await serve(clerk, cell))
                self.house.take(clerk.slot)

        async with asyncio.TaskGroup() as stations:
            for number in range(self.house.stations):
                stations.create_task(at(number))
        return [ran[index] for index in sorted(ran)]

    async def judge(self) -> None:
        """End the daemon; hold centre, cards and journal against each other and against what was told."""
        told = [Told.of(event) for event in await self.house.journal.read(0, _ALL_EVENTS)]
        await self.house.end()
        judge(self.customers, told, Centre.read(self.house.register), self.strangers)


def tally(ran: Sequence[tuple[object, Ran]]) -> dict[str, int]:
    """Return how many cells ended how."""
    return dict(Counter(one.end for _, one in ran))


def play(work: Coroutine[None, None, T], foreseen: Collection[str] = ()) -> T:
    """Run a matrix in an event loop of its own; nothing may go wrong that the log calls an error, but what is foreseen.

    `foreseen` are the log's own names of what the matrix brings about on purpose.
    """
    with structlog.testing.capture_logs() as lines:
        result = asyncio.run(work)
    bad = [line for line in lines if line["log_level"] in _BAD and line["event"] not in foreseen]
    assert not bad, bad[:5]
    return result
