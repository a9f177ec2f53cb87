"""Each card torn out at each of its commands, before it and in the middle of the answer, and at each question to the
centre; then put back, or another.
"""

import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest
from support.matrix_cards import EXTERNAL_AUTHENTICATE, VERIFY, WRITING, Moment, Plastic, Tear
from support.matrix_clerk import VARIATIONS, Afterwards, Clerk, Customer, Variation, from_each
from support.matrix_house import House
from support.matrix_run import STATIONS, Matrix, Ran, play, tally
from support.waiting import became

from cardd.wire.activation import ActivationResult

OLD, SOCIAL = "old", "social"
SPARES = (0, 1, 2, 5, 9)
"""How many bytes a card still writes that loses its power in the middle of a command."""

SAMPLE = 131
PEOPLE = 800
"""As many as the whole matrix needs: each cell serves one, and needs at most one stranger."""

SECONDS_FOR_A_PERSON = 2.0
KNOWN_S = 3.0
"""So long a daemon has to tell that a card is gone."""


@dataclass(frozen=True)
class Asked:
    """The centre is asked something.

    The card goes `BEFORE` it hears it, `WITHIN` (and it hears it once the daemon knows that the card is gone), or
    `AFTER` it has done it (and it answers once the daemon knows).
    """

    call: str
    moment: Moment


@dataclass(frozen=True)
class Cell:
    """Which card is torn out, and where; then what."""

    card: str
    tear: Tear | Asked
    then: Afterwards


def cards(customer: Customer) -> dict[str, Plastic]:
    return {OLD: customer.old, SOCIAL: customer.social}


class Questions:
    """What the centre is asked, and the cards that are torn out meanwhile."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._torn: list[tuple[Clerk, Cell]] = []
        self.asked: list[tuple[str, str]] = []
        """The questions of a clean run, and the card that was in."""

    async def look_on(self, clerk: Clerk) -> ActivationResult:
        """Serve a customer, and see what is asked meanwhile."""

        async def see(name: str, _: str) -> None:
            card = self._house.inside.get(clerk.slot)
            self.asked += [(name, kind) for kind, one in cards(clerk.customer).items() if one is card]

        self._house.line.asking = see
        view = await clerk.serve()
        self._house.line.asking, self._house.line.answering = self._asking, self._answering
        return view

    def add(self, clerk: Clerk, cell: Cell) -> None:
        """Have a customer's card torn out when the centre is asked."""
        self._torn.append((clerk, cell))

    async def _asking(self, name: str, subject: str) -> None:
        await self._pull(name, subject, {Moment.BEFORE, Moment.WITHIN})

    async def _answering(self, name: str, subject: str) -> None:
        await self._pull(name, subject, {Moment.AFTER})

    async def _pull(self, name: str, subject: str, moments: Collection[Moment]) -> None:
        for clerk, cell in self._torn:
            asked = cell.tear
            assert isinstance(asked, Asked)
            if asked.call == name and asked.moment in moments and subject in clerk.customer.subjects:
                self._torn.remove((clerk, cell))
                await self._take_away(clerk, cell, asked.moment)
                return

    async def _take_away(self, clerk: Clerk, cell: Cell, moment: Moment) -> None:
        events, told = self._house.events, len(self._house.events)
        clerk.tear_now(cards(clerk.customer)[cell.card], cell.card)

        def knows() -> bool:
            return any((event.type, event.subject) == ("card.removed", clerk.reader) for event in events[told:])

        assert moment is Moment.BEFORE or await became(knows, KNOWN_S)


def cells(clean: Customer, asked: Sequence[tuple[str, str]]) -> Iterator[Cell]:
    """Yield every point of a route: what a clean run of it sent to each card, and what it asked the centre."""
    for (call, name), moment, then in product(dict.fromkeys(asked), Moment, Afterwards):
        yield Cell(name, Asked(call, moment), then)
    for name, card in cards(clean).items():
        for nth, moment, then in product(range(1, card.asked + 1), (Moment.BEFORE, Moment.AFTER), Afterwards):
            yield Cell(name, Tear(nth, moment), then)
        for nth, (command, _) in enumerate(card.exchanges, 1):
            if command[1] in {VERIFY, EXTERNAL_AUTHENTICATE, *WRITING}:
                for spare, then in product(SPARES, Afterwards):
                    yield Cell(name, Tear(nth, Moment.WITHIN, spare), then)


async def torn(matrix: Matrix, questions: Questions, clerk: Clerk, cell: Cell) -> ActivationResult:
    clerk.afterwards = cell.then
    if cell.then is Afterwards.OTHER:
        clerk.customer.stranger = matrix.stranger()
        clerk.stranger = cards(clerk.customer.stranger)[cell.card]
    if isinstance(cell.tear, Asked):
        questions.add(clerk, cell)
    else:
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
        PEOPLE // every + 4,
    )
    await matrix.house.begin()
    questions = Questions(matrix.house)
    clean = matrix.customer(variation)
    assert (await questions.look_on(Clerk.undisturbed(matrix.house, 0, clean))).outcome == "activated"
    points = list(cells(clean, questions.asked))
    chosen = points[from_each(every, variation) :: every]
    staying = [cell for cell in chosen if cell.then is not Afterwards.NONE]
    ran = await matrix.run(variation, staying, lambda clerk, cell: torn(matrix, questions, clerk, cell))
    await matrix.judge()

    deadlines["person_s"] = SECONDS_FOR_A_PERSON
    leaving = [cell for cell in chosen if cell.then is Afterwards.NONE]
    house = House(directory / "d", STATIONS * 3, {"pin_policy": str(variation.pins), "deadlines": deadlines})
    deserted = Matrix(house, len(leaving) + 1)
    await deserted.house.begin()
    meanwhile = Questions(deserted.house)
    assert (await meanwhile.look_on(Clerk.undisturbed(house, 0, deserted.customer(variation)))).outcome == "activated"
    left = await deserted.run(variation, leaving, lambda clerk, cell: torn(deserted, meanwhile, clerk, cell))
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
