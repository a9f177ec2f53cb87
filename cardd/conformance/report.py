"""What came of it, for people."""

from collections.abc import Iterator, Sequence
from typing import Final

from cardd.conformance.case import Outcome, Result

_MOST_NAMED: Final = 4


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
    return "\n".join([*lines, "", *_reasons(results), count(results)])


def count(results: Sequence[Result]) -> str:
    """Return how many cases ended how."""
    counts = {outcome: sum(result.outcome is outcome for result in results) for outcome in Outcome}
    return ", ".join(f"{number} {outcome.value}" for outcome, number in counts.items())


def _reasons(results: Sequence[Result]) -> Iterator[str]:
    whose: dict[tuple[str, str, str], list[str]] = {}
    for result in results:
        if result.reason:
            whose.setdefault((result.outcome.value, result.case, result.reason), []).append(result.subject)
    for (outcome, case, reason), subjects in whose.items():
        who = ", ".join(subjects) if len(subjects) <= _MOST_NAMED else f"{len(subjects)} cards"
        yield f"{outcome} {case}: {reason} ({who})"
