"""The daemon is killed before and after each commit, each card command and each question to the centre, on each route.

Cards and centre live in the process of the test and go on. What is judged is the centre's register, the cards' own
memory, and an export of the journal that was verified: never what the daemon says of itself.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.kill_points import KillPoints
from support.matrix_clerk import VARIATIONS, Variation, from_each
from support.matrix_judge import judge
from support.matrix_mortal import MortalCounter

SAMPLE = 223
PEOPLE = 600
CLEAN = 3
TRIES = 6
"""A place near the end may not be there, when two commits became one: it is tried again."""


@contextmanager
def counter(directory: Path, variation: Variation, people: int) -> Iterator[MortalCounter]:
    with KillPoints(directory) as points, MortalCounter(directory, points, variation, people) as counter:
        yield counter


def kinds(places: list[str]) -> dict[str, int]:
    """Return how many places there are of each kind."""
    return dict(Counter(" ".join(place.split()[:2]) for place in places))


def kill_at_every(counter: MortalCounter, first: int, step: int) -> str:
    """Kill the daemon at every so-manieth place of a route; judge all of it; say what was done."""
    # sometimes two commits become one, or a head is signed: the places that every run has
    clean = [counter.serve(counter.customer()) for _ in range(CLEAN)]
    assert {str(view.outcome) for view, _ in clean} == {"activated"}
    places = min((places for _, places in clean), key=len)
    chosen = range(first, len(places), step)
    killed, ends = [], Counter[str]()
    for at in chosen:
        for _ in range(TRIES):
            view, _places = counter.serve(counter.customer(), at)
            ends[str(view.outcome or view.reason or view.state)] += 1
            if counter.killed_at is not None:
                killed.append(counter.killed_at)
                break
    counter.take()
    counter.stop()
    judge(counter.customers, counter.journal_says(), counter.centre_says(), ())
    assert set(ends) == {"activated"}, ends
    assert len(killed) == len(chosen)
    return f"killed at {len(killed)} of {len(places)} places {kinds(killed)}: {dict(ends)}"


@pytest.mark.parametrize("variation", VARIATIONS, ids=str)
def test_a_daemon_killed_at_a_sample_of_places_leaves_centre_card_and_journal_agreed(
    tmp_path: Path, variation: Variation
) -> None:
    with counter(tmp_path, variation, PEOPLE // SAMPLE + 20) as mortal:
        kill_at_every(mortal, from_each(SAMPLE, variation), SAMPLE)


@pytest.mark.night
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("variation", VARIATIONS, ids=str)
def test_a_daemon_killed_anywhere_leaves_centre_card_and_journal_agreed(
    tmp_path: Path, variation: Variation, capsys: pytest.CaptureFixture[str]
) -> None:
    with counter(tmp_path, variation, PEOPLE) as mortal:
        report = kill_at_every(mortal, 0, 1)
    with capsys.disabled():
        sys.stdout.write(f"\n{variation}: {report}\n")
