"""Each card torn out at each of its commands, before it and in the middle of the answer; then put back, or another."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest
from support.matrix_cards import EXTERNAL_AUTHENTICATE, VERIFY, WRITING, Moment, Plastic, Tear
from support.matrix_clerk import VARIATIONS, Afterwards, Clerk, Customer, Variation
from support.matrix_house import House
from support.matrix_run import STATIONS, Matrix, Ran, play, tally

from cardd.wire.activation import ActivationResult

OLD, SOCIAL = "old", "social"
SPARES = (0, 1, 2, 5, 9)
"""How many bytes a card still writes that loses its power in the middle of a command."""

SAMPLE = 61
PEOPLE = 900
"""As many as the whole matrix needs: each cell serves one, and needs at most one stranger."""

SECONDS_FOR_A_PERSON = 2.0


@dataclass(frozen=True)
class Cell:
    """Which card is torn out, and where; then what."""

    card: str
    tear: Tear
    then: Afterwards


def cards(customer: Customer) -> dict[str, Plastic]:
    return {OLD: customer.old, SOCIAL: customer.social}


def cells(clean: Customer) -> Iterator[Cell]:
    """Yield every point of a route: what a clean run of it sent to each card."""
    for name, card in cards(clean).items():
        for nth, moment, then in product(range(1, card.asked + 1), (Moment.BEFORE, Moment.AFTER), Afterwards):
            yield Cell(name, Tear(nth, moment), then)
        for nth, (command, _) in enumerate(card.exchanges, 1):
            if command[1] in {VERIFY, EXTERNAL_AUTHENTICATE, *WRITING}:
                for spare, then in product(SPARES, Afterwards):
                    yield Cell(name, Tear(nth, Moment.WITHIN, spare), then)


async def torn(matrix: Matrix, clerk: Clerk, cell: Cell) -> ActivationResult:
    clerk.afterwards = cell.then
    if cell.then is Afterwards.OTHER:
        clerk.customer.stranger = matrix.stranger()
        clerk.stranger = cards(clerk.customer.stranger)[cell.card]
    clerk.tear(cards(clerk.customer)[cell.card], cell.tear)
    return await clerk.serve()


def check(cell: Cell, ran: Ran) -> None:
    """A card that is put back leads to where an undisturbed one does."""
    assert cards(ran.customer)[cell.card].torn is not None, f"{cell}: nothing was torn"
    if cell.then is Afterwards.BACK:
        assert ran.end == "activated", f"{cell}: {ran.end}"


async def matrix_of(directory: Path, variation: Variation, every: int) -> str:
    deadlines: dict[str, object] = {"person_s": 60.0}
    matrix = Matrix(
        House(directory / "h", STATIONS, {"pin_policy": str(variation.pins), "deadlines": deadlines}),
        PEOPLE // every + 2,
    )
    await matrix.house.begin()
    clean = matrix.customer(variation)
    assert (await Clerk(matrix.house, 0, clean).serve()).outcome == "activated"
    points = list(cells(clean))
    chosen = points[::every]
    staying = [cell for cell in chosen if cell.then is not Afterwards.NONE]
    ran = await matrix.run(variation, staying, lambda clerk, cell: torn(matrix, clerk, cell))
    await matrix.judge()

    deadlines["person_s"] = SECONDS_FOR_A_PERSON
    leaving = [cell for cell in chosen if cell.then is Afterwards.NONE]
    house = House(directory / "d", STATIONS * 3, {"pin_policy": str(variation.pins), "deadlines": deadlines})
    deserted = Matrix(house, len(leaving))
    await deserted.house.begin()
    left = await deserted.run(variation, leaving, lambda clerk, cell: torn(deserted, clerk, cell))
    await deserted.judge()

    for cell, one in ran + left:
        check(cell, one)
    assert len(ran + left) == len(chosen)
    return f"{variation}: {len(ran + left)} of {len(points)} tears: {tally(ran)}, nobody came back: {tally(left)}"


@pytest.mark.parametrize("variation", VARIATIONS, ids=str)
def test_a_card_torn_out_anywhere_leaves_centre_card_and_journal_agreed(tmp_path: Path, variation: Variation) -> None:
    play(matrix_of(tmp_path, variation, SAMPLE))


@pytest.mark.night
@pytest.mark.timeout(900)
@pytest.mark.parametrize("variation", VARIATIONS, ids=str)
def test_a_card_torn_out_at_every_command_leaves_them_agreed(
    tmp_path: Path, variation: Variation, capsys: pytest.CaptureFixture[str]
) -> None:
    report = play(matrix_of(tmp_path, variation, 1))
    with capsys.disabled():
        sys.stdout.write(f"\n{report}\n")
