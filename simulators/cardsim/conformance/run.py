"""Put cards to cases, and print what came of it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from cardd.base.errors import CarddError
from cardsim.card.chip import Chip
from cardsim.card.make import make_chip
from cardsim.conformance import data, identity, keys, money, pins, rights
from cardsim.conformance.card import Card, Link
from cardsim.conformance.case import Case, Outcome, Result
from cardsim.conformance.checks import FailedError, NotApplicableError
from cardsim.conformance.subject import Subject, subject_of
from cardsim.persona import Persona

CASES: Final[tuple[Case, ...]] = (
    *pins.CASES,
    *identity.CASES,
    *data.CASES,
    *rights.CASES,
    *keys.CASES,
    *money.CASES,
)

_MOST_NAMED: Final = 4
_SIDES: Final = ("contact", "contactless")


class ChipLink:
    """A simulated card in this process, on one interface."""

    def __init__(self, chip: Chip, interface: str) -> None:
        self.interface = interface
        self.tear: Callable[[int], None] | None = chip.machine.memory.cut_after
        self._card = chip.on(interface)
        others = [side for side in _SIDES if side != interface and getattr(chip.answers, side)]
        self._other = chip.on(others[0]) if others else None

    def cold_reset(self) -> bytes:
        """Take power away and give it again."""
        self._card.power_off()
        return self._card.power_on()

    def warm_reset(self) -> bytes:
        """Reset without taking power away."""
        return self._card.reset()

    def transmit(self, command: bytes) -> bytes:
        """Return the answer; nothing if power went in the middle."""
        return self._card.transmit(command)

    def other_side(self) -> bytes | None:
        """Return the answer to reset on the card's other interface, None where it has none."""
        return self._other.power_on() if self._other else None


def run_case(case: Case, subject: Subject, link: Link) -> Result:
    """Put a card to one case."""
    try:
        case.run(Card(subject, link))
    except NotApplicableError as reason:
        return Result(case.name, subject.name, Outcome.NOT_APPLICABLE, str(reason))
    except FailedError as failure:
        return Result(case.name, subject.name, Outcome.FAILED, str(failure))
    except CarddError as error:
        # an answer that is none
        return Result(case.name, subject.name, Outcome.FAILED, f"the card does not answer: {error.detail}")
    return Result(case.name, subject.name, Outcome.PASSED)


def run_persona(persona: Persona, cases: Iterable[Case] = CASES, interface: str | None = None) -> Iterator[Result]:
    """Put a persona to cases in this process, a new card for each; nothing for a card of another kind."""
    subject = subject_of(persona)
    if subject is None:
        return
    for case in cases:
        chip = make_chip(persona)
        side = interface or ("contact" if chip.answers.contact else "contactless")
        yield run_case(case, subject, ChipLink(chip, side))


def table(results: Sequence[Result]) -> str:
    """Write cases by cards, and below why something failed or does not apply."""
    subjects = list(dict.fromkeys(result.subject for result in results))
    names = list(dict.fromkeys(result.case for result in results))
    by_place = {(result.case, result.subject): result for result in results}
    width = max(map(len, names), default=0)
    letters = {subject: f"{number:>5}" for number, subject in enumerate(subjects, 1)}
    lines = [f"{letters[subject]}  {subject}" for subject in subjects]
    lines += ["", " " * width + "".join(letters.values())]
    for name in names:
        cells = (by_place.get((name, subject)) for subject in subjects)
        lines.append(name.ljust(width) + "".join(f"{cell.outcome.value if cell else '':>5}" for cell in cells))
    return "\n".join([*lines, "", *_reasons(results), _count(results)])


def _reasons(results: Sequence[Result]) -> Iterator[str]:
    whose: dict[tuple[str, str, str], list[str]] = {}
    for result in results:
        if result.reason:
            whose.setdefault((result.outcome.value, result.case, result.reason), []).append(result.subject)
    for (outcome, case, reason), subjects in whose.items():
        who = ", ".join(subjects) if len(subjects) <= _MOST_NAMED else f"{len(subjects)} cards"
        yield f"{outcome} {case}: {reason} ({who})"


def _count(results: Sequence[Result]) -> str:
    counts = {outcome: sum(result.outcome is outcome for result in results) for outcome in Outcome}
    return ", ".join(f"{count} {outcome.value}" for outcome, count in counts.items())
