"""The reader against cards that are otherwise where cards may be: every toggle by itself, and some two of them."""

from itertools import islice
from pathlib import Path

import pytest
from support.ambiguity import filled
from support.choices import BASES, NOTES, READINGS, TOGETHER, Basis, Pair, Reading, pairs, sample
from support.pairing import surprises, told, unknown
from support.trials import Verdict, alone, together, tried, usual

from tools import ambiguity

# what is tried once is on record for the whole module
pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize("basis", BASES, ids=str)
def test_on_a_usual_card_everything_is_read_as_it_was_filled(basis: Basis) -> None:
    facts = usual(basis).facts
    unread = {name for name, reason in facts.items() if reason == "ACCESS_DENIED"}
    # no source prints the numbers of their keys
    assert unread <= {"DF06EF05", "DF06EF06"}
    expected = {name: text for name, text in filled(basis).items() if name[:8] not in unread}
    assert {name: facts.get(name) for name in expected} == expected
    assert {name: fact for name, fact in facts.items() if name.startswith("write ") and fact != "done"} == {}


@pytest.mark.parametrize("basis", BASES, ids=str)
def test_a_reading_changes_no_result_unless_it_is_known_to(basis: Basis) -> None:
    changed = {reading for reading in READINGS if alone(basis, reading).verdict(usual(basis)) is Verdict.OTHER}
    assert {str(reading) for reading in changed - set(NOTES)} == set()


@pytest.mark.parametrize("basis", BASES, ids=str)
def test_no_reading_has_a_genuine_card_taken_for_a_forged_one(basis: Basis) -> None:
    proofs = {str(reading): alone(basis, reading).facts["identify"] for reading in READINGS}
    assert {reading: told for reading, told in proofs.items() if "authentic=False" in told} == {}


def test_what_is_known_to_change_a_result_does() -> None:
    changed = {
        reading
        for reading in READINGS
        for basis in BASES
        if alone(basis, reading).verdict(usual(basis)) is Verdict.OTHER
    }
    assert {str(reading) for reading in set(NOTES) - changed} == set()


def test_the_page_says_so() -> None:
    assert ambiguity.main(["--check"]) == 0, "run tools/ambiguity.py"


@pytest.mark.parametrize("text", ["what was so before", None])
def test_checking_finds_another_page_or_none_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    page = tmp_path / "ambiguity.md"
    if text is not None:
        page.write_text(text, encoding="utf-8")
    monkeypatch.setattr(ambiguity, "PAGE", page)
    monkeypatch.setattr(ambiguity, "page", lambda: "what is so\n")
    assert ambiguity.main(["--check"]) == 1
    assert (page.read_text(encoding="utf-8") if page.exists() else None) == text


@pytest.mark.parametrize("basis", BASES, ids=str)
def test_a_sample_of_two_readings_together_changes_only_what_one_of_them_does(basis: Basis) -> None:
    assert told(unknown(surprises(basis, sample(basis)))) == {}


@pytest.mark.parametrize("pair", TOGETHER, ids=lambda pair: ", ".join(map(str, sorted(pair))))
def test_what_is_known_to_matter_together_does(pair: frozenset[Reading]) -> None:
    first, second = sorted(pair)
    assert any(surprises(basis, [(first, second)]) for basis in BASES)


@pytest.mark.parametrize("basis", BASES, ids=str)
def test_two_readings_that_never_meet_in_a_part_are_as_they_would_be_tried_together(basis: Basis) -> None:
    some = list(islice(pairs(), 3 * BASES.index(basis), None, 211))
    other: list[Pair] = [pair for pair in some if together(basis, *pair) != tried(basis, *pair)]
    assert other == []
