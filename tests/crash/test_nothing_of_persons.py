"""Nothing of a person lies in journal, log or export after full runs of every route, daemons that were killed included.

The centre's register is the exception: it is the authority's own file, and lies apart.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from support.kill_points import KillPoints
from support.matrix_clerk import VARIATIONS, Variation
from support.matrix_mortal import MortalCounter
from support.people import PASSWORD, PIN
from support.private import shapes

PEOPLE = 4
QUICK = VARIATIONS[3]
ON_THE_WAY = (0.5, 0.9)
"""Where on its way through a route the daemon is killed, so that what it was just writing lies there."""


def sought(people: Path) -> Iterator[tuple[str, bytes]]:
    """Yield everything that the register knows of a person, and the digits that are typed, in every shape."""
    for person in yaml.safe_load(people.read_text(encoding="utf-8"))["people"]:
        yield from shapes(person["social_security_number"])
        yield from shapes(person["name"])
        for card in person["cards"] + person["old_cards"]:
            yield from shapes(card["number"])
        yield from shapes(person["cards"][0]["identification_code"])
    for digits in (PIN, PASSWORD):
        yield from shapes(digits)
        # as a card gets it: with its length before it
        yield f"{digits} in bcd", bytes.fromhex(f"{len(digits) // 2:02X}{digits}")


def found(directory: Path, people: Path) -> list[str]:
    files = [file for file in directory.rglob("*") if file.is_file()]
    return [f"{what} in {file.name}" for file in files for what, shape in sought(people) if shape in file.read_bytes()]


@pytest.mark.parametrize(
    "variation",
    [pytest.param(one, id=str(one), marks=[pytest.mark.night] if one != QUICK else []) for one in VARIATIONS],
)
def test_journal_log_and_export_of_a_route_hold_nothing_of_a_person(tmp_path: Path, variation: Variation) -> None:
    with KillPoints(tmp_path) as points, MortalCounter(tmp_path, points, variation, PEOPLE) as counter:
        view, places = counter.serve(counter.customer())
        assert view.outcome == "activated"
        for part in ON_THE_WAY:
            counter.serve(counter.customer(), int(len(places) * part))
            assert counter.killed_at is not None
        # while it runs: the write-ahead log holds what is not in the database yet
        people = tmp_path / "people.yaml"
        assert (tmp_path / "state" / "journal.db-wal").stat().st_size > 0
        assert found(tmp_path / "state", people) == []
        counter.take()
        counter.stop()
        assert [event.kind for event in counter.journal_says()].count("activation.completed") == len(counter.customers)
    for file in (tmp_path / "cardd.log", tmp_path / "export.jsonl", *(tmp_path / "state").glob("journal*")):
        assert [what for what, shape in sought(people) if shape in file.read_bytes()] == [], file.name
    # the search finds what is there
    assert any(shape in (tmp_path / "centre.sqlite").read_bytes() for _, shape in sought(people))
