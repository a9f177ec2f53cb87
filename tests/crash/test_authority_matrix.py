"""Each fault of the authority at each of its calls, once and for a while: nothing is doubled, nothing lost."""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest
from support.kill_points import KillPoints
from support.matrix_clerk import VARIATIONS, Clerk, Customer, Variation, from_each
from support.matrix_house import Fault, House
from support.matrix_judge import judge
from support.matrix_mortal import MortalCounter
from support.matrix_run import Matrix, Ran, play, tally
from support.waiting import became

from cardd.activation.http_authority import TRIES
from cardd.wire.activation import ActivationResult
from cardd.wire.centre import OPERATIONS
from cardsim.centre.faults import KINDS

STATIONS = 12
AUTHORITY_S = 1.0
A_WHILE_S = 3.0
"""Longer than any one question may take, and than the deadlines of the states in which one is asked."""

SAMPLE = 29
PEOPLE = 130
ASKED_AGAIN = "outcome"
BEYOND = frozenset({"activate", "report_update", ASKED_AGAIN})
"""The questions that are asked beyond the point of no return."""

HARMLESS = frozenset({Fault.TWICE})
UNHEARD = frozenset({Fault.DEAF, Fault.STUCK, Fault.BROKEN})
FORESEEN = ("activation.effect_failed", "activation.asking_failed")


@dataclass(frozen=True)
class Cell:
    """What goes wrong with which question, once or for a while; `first` befalls the request itself."""

    call: str
    fault: Fault
    lasts: bool
    first: Fault | None = None


def cells(calls: Sequence[str]) -> Iterator[Cell]:
    for call, fault, lasts in product(calls, Fault, (False, True)):
        yield Cell(call, fault, lasts)
    for first, fault, lasts in product((Fault.DEAF, Fault.MUTE), Fault, (False, True)):
        yield Cell(ASKED_AGAIN, fault, lasts, first)


class Plan:
    """What goes wrong for each customer."""

    def __init__(self) -> None:
        self._faults: list[tuple[Customer, dict[str, Fault], set[str]]] = []
        self.met: set[str] = set()

    def add(self, customer: Customer, cell: Cell) -> None:
        """Let a cell befall a customer; what does not last is over once it was met."""
        faults = {cell.call: cell.fault}
        if cell.first is not None:
            faults["activate"] = cell.first
        self._faults.append((customer, faults, {cell.call} if cell.lasts else set()))

    def mend(self, customer: Customer) -> None:
        """Let nothing go wrong for a customer any more."""
        self._faults = [entry for entry in self._faults if entry[0] is not customer]

    def __call__(self, name: str, subject: str) -> Fault | None:
        for customer, faults, lasting in self._faults:
            if name in faults and subject in customer.subjects:
                self.met.add(f"{customer.index} {name}")
                return faults[name] if name in lasting else faults.pop(name)
        return None


async def troubled(plan: Plan, clerk: Clerk, cell: Cell) -> ActivationResult:
    customer = clerk.customer
    plan.add(customer, cell)
    # while the report goes unheard for longer than it is waited for, the activation ends without
    customer.heard = not (cell.call == "report_update" and cell.lasts and cell.fault in UNHEARD)
    serving = asyncio.create_task(clerk.serve())
    if cell.lasts:
        # a while from when it is met: how long it takes to come to that question is the machine's affair
        await became(lambda: serving.done() or f"{customer.index} {cell.call}" in plan.met)
        await asyncio.wait({serving}, timeout=A_WHILE_S)
        plan.mend(customer)
    return await serving


def check(plan: Plan, cell: Cell, ran: Ran) -> None:
    assert f"{ran.customer.index} {cell.call}" in plan.met, f"{cell}: it was never asked"
    if cell.fault in HARMLESS or cell.call in BEYOND:
        assert ran.end == "activated", f"{cell}: {ran.end}"
    elif cell.fault is Fault.BROKEN:
        # and nobody is told that a card was at fault
        assert ran.end == "INTERNAL", f"{cell}: {ran.end}"
    else:
        assert ran.end == "AUTHORITY_UNAVAILABLE", f"{cell}: {ran.end}"


async def matrix_of(directory: Path, variation: Variation, every: int) -> str:
    policy: dict[str, object] = {"pin_policy": str(variation.pins)}
    matrix = Matrix(House(directory / "h", STATIONS, policy, AUTHORITY_S), PEOPLE)
    await matrix.house.begin()
    assert (await Clerk.undisturbed(matrix.house, 0, matrix.customer(variation)).serve()).outcome == "activated"
    points = list(cells([name for name, _ in matrix.house.line.calls]))
    matrix.house.line.plan = plan = Plan()
    chosen = points[from_each(every, variation) :: every]
    ran = await matrix.run(variation, chosen, lambda clerk, cell: troubled(plan, clerk, cell))
    await matrix.judge()
    for cell, one in ran:
        check(plan, cell, one)
    assert len(ran) == len(chosen)
    return f"{variation}: {len(ran)} of {len(points)} faults: {tally(ran)}"


# -- a centre on the network


NETWORK_S = 1.0
LOOK_UPS = frozenset({"look_up_old_card", "look_up_social_card", "verify_old_password"})


def orders(kind: str, call: str) -> list[str]:
    """Return what to order so that a fault befalls a question once; the outcome is asked for only in doubt."""
    doubt = [f"500@activate:{TRIES}"] if call == ASKED_AGAIN else []
    return [*doubt, f"{kind}@{call}:1"]


def on_the_network(directory: Path, every: int) -> str:
    points = list(product(KINDS, OPERATIONS))
    chosen, ends = points[::every], Counter[str]()
    with (
        KillPoints(directory) as unused,
        MortalCounter(directory, unused, VARIATIONS[0], len(chosen) + 1, authority_s=NETWORK_S) as counter,
    ):
        for kind, call in chosen:
            counter.centre.faults.order(*orders(kind, call))
            view, _ = counter.serve(counter.customer())
            end = str(view.outcome or view.reason)
            ends[end] += 1
            assert counter.centre.faults.left() == [], f"{kind}@{call} was never met"
            assert end == "activated" or (call in LOOK_UPS and end == "AUTHORITY_UNAVAILABLE"), f"{kind}@{call}: {end}"
        counter.take()
        counter.stop()
        judge(counter.customers, counter.journal_says(), counter.centre_says(), ())
    return f"{len(chosen)} of {len(points)} faults of a centre on the network: {dict(ends)}"


def test_a_fault_of_a_centre_on_the_network_neither_doubles_nor_loses_an_activation(tmp_path: Path) -> None:
    on_the_network(tmp_path, 11)


@pytest.mark.night
@pytest.mark.timeout(600)
def test_each_fault_of_a_centre_on_the_network_at_each_question_neither_doubles_nor_loses_an_activation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = on_the_network(tmp_path, 1)
    with capsys.disabled():
        sys.stdout.write(f"\n{report}\n")


# -- an authority in this process, and every way in which a question may go wrong


@pytest.mark.parametrize("variation", VARIATIONS, ids=str)
def test_a_fault_of_the_authority_neither_doubles_nor_loses_an_activation(tmp_path: Path, variation: Variation) -> None:
    play(matrix_of(tmp_path, variation, SAMPLE), FORESEEN)


@pytest.mark.night
@pytest.mark.parametrize("variation", VARIATIONS, ids=str)
def test_each_fault_of_the_authority_at_each_call_neither_doubles_nor_loses_an_activation(
    tmp_path: Path, variation: Variation, capsys: pytest.CaptureFixture[str]
) -> None:
    report = play(matrix_of(tmp_path, variation, 1), FORESEEN)
    with capsys.disabled():
        sys.stdout.write(f"\n{report}\n")
