"""A broken scenario: the place of the first mistake, and what would be right."""

from pathlib import Path

import pytest
from support.scenarios import written

from cardd.base.document import DocumentError
from cardsim.scenario.model import Insert, Repeat
from cardsim.scenario.reading import fit_for, read_scenario


def problem(path: Path) -> tuple[int, int, str]:
    with pytest.raises(DocumentError) as broken:
        read_scenario(path)
    assert str(broken.value).startswith(f"{path}:{broken.value.line}:{broken.value.column}: ")
    return broken.value.line, broken.value.column, broken.value.problem


MISTAKES = {
    "a word that is no verb": ("- insrt: old-jia", 4, 5, "did you mean `insert` for `insrt`?"),
    "a word like no verb": ("- xyzzy: old-jia", 4, 5, "it is known by one of `activate`"),
    "two verbs": ("- insert: old-jia\n  wait: card.removed", 4, 5, "begin another one with `- wait:`"),
    "a key that the verb has not": ("- insert: old-jia\n  gap_sm: 3", 5, 5, "unknown key `gap_sm`: known here are"),
    "a key nearly right": ("- swap: old-jia\n  gap_sm: 3", 5, 5, "did you mean `gap_ms`?"),
    "a word in the place of a number": ("- pass: long", 4, 11, "`timeline[0].pass`: expected a number, got text"),
    "a card that nobody has": ("- insert: old-nobody", 4, 13, "cards are old-bing"),
    "a person that is not there": ("- insert: jia.old", 4, 13, "nobody's card `jia.old`"),
    "a reader that is not there": ("- insert: old-jia\n  reader: reader-7", 5, 13, "there are reader-0"),
    "a station that is not there": ("- at: counter-7\n  do: [{pass: 1}]", 4, 9, "there are counter-0"),
    "people that are not there": ("- for_each: rush\n  do: [{pass: 1}]", 4, 15, "no group of people `rush`"),
    "a mistake inside a loop": (
        "- repeat: 3\n  do:\n    - pass: 1\n    - remve:",
        7,
        9,
        "which step this is",
    ),
    "a mistake inside a choice": (
        "- choose:\n    - do:\n        - waits: x",
        6,
        13,
        "which step this is",
    ),
    "a mistake side by side": (
        "- together:\n    - - pass: 1\n      - pas: 1",
        6,
        11,
        "which step this is",
    ),
    "an expectation of nothing": ("- expect: {evnts: {x: 1}}", 4, 13, "did you mean `events` for `evnts`?"),
    "a fault that is none": ("- insert: old-jia\n  faults: [{do: explode}]", 5, 19, "explode"),
    "a key that a fault has not": ("- insert: old-jia\n  faults: [{do: tear, wen: after}]", 5, 25, "`when`?"),
    "a fault of the centre that is none": ('- centre: ["explode@activate"]', 4, 14, "there are slow"),
    "an event that there is not": ("- wait: card.identifed", 4, 11, "did you mean `card.identified`?"),
    "no event that there is not": ("- expect: {no_event: card.removd}", 4, 24, "did you mean `card.removed`?"),
    "a count of what there is not": (
        "- expect: {events: {tax.paid: 0}}",
        4,
        23,
        "no event `tax.paid`: there are",
    ),
    "a method that there is not": ("- call: card.reed", 4, 11, "did you mean `card.read`?"),
    "a reset that a card is torn out at": (
        "- insert: old-jia\n  faults: [{do: mute}, {do: tear, at: reset}]",
        *(5, 41, "at a reset a card can be mute"),
    ),
    "a command that the card has not": (
        "- swap: social-jia-3.0\n  faults: [{do: mute, at: WRITE POEM}]",
        *(5, 29, "no command `WRITE POEM` here; known are"),
    ),
    "no step at all": ("[]", 4, 3, "`timeline`: expected a list of length >= 1"),
}


@pytest.mark.parametrize(("steps", "line", "column", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_with_its_place_and_what_would_be_right(
    tmp_path: Path, steps: str, line: int, column: int, said: str
) -> None:
    at_line, at_column, text = problem(written(tmp_path, steps))
    assert said in text
    assert (at_line, at_column) == (line, column)


def test_people_whose_cards_nobody_could_compute_with_are_refused(tmp_path: Path) -> None:
    head = """
    people:
      rush: {generate: {count: 3, regions: [110000], profiles: ["1.0"], algorithms: [des]}}
    """
    line, _, text = problem(written(tmp_path, "- pass: 1", head))
    assert (line, "would be one with SSF33" in text) == (3, True), text


def test_a_mistake_in_somebodys_card_is_told_where_it_stands(tmp_path: Path) -> None:
    head = """
    people:
      jia:
        cards:
          old: {card: medical-insurance, kind: cpu, numbr: "19"}
    """
    line, _, text = problem(written(tmp_path, "- pass: 1", head))
    assert (line, "did you mean `number`?" in text) == (5, True), text


def test_a_mistake_in_one_of_several_groups_is_told_where_it_stands(tmp_path: Path) -> None:
    head = """
    people:
      jia: {cards: {old: old-jia}}
      rush: {generate: {count: 3, old_crad: any}}
    """
    line, column, text = problem(written(tmp_path, "- pass: 1", head))
    assert (line, column) == (4, 31), text
    assert "did you mean `old_card`?" in text


def test_a_group_is_either_invented_or_named(tmp_path: Path) -> None:
    line, _, text = problem(written(tmp_path, "- pass: 1", "people:\n  rush: {}"))
    assert (line, "`generate`" in text) == (3, True)


def test_steps_know_where_they_stand(tmp_path: Path) -> None:
    path = written(tmp_path, "- repeat: 2\n  do:\n    - insert: old-jia")
    (loop,) = read_scenario(path).scenario.timeline
    assert isinstance(loop, Repeat)
    (step,) = loop.do
    assert isinstance(step, Insert)
    assert (step.place.line, step.place.where) == (6, "$.timeline[0].do[0]")


def test_a_text_needs_no_quotes(tmp_path: Path) -> None:
    path = written(tmp_path, "- call: rpc.discover\n  where: {a: 0123, b: true, c: null}")
    (step,) = read_scenario(path).scenario.timeline
    assert getattr(step, "where") == {"a": "0123", "b": "true", "c": None}  # noqa: B009 # one kind of step


ELSEWHERE = {
    "kill: pcscd": ("in-process", "--on pcscd or running"),
    "stop: daemon": ("in-process", "--on pcscd"),
    "kill: daemon": ("running", "--on in-process or pcscd"),
    "restart: centre": ("pcscd", "`centre: true`"),
}


@pytest.mark.parametrize("step", ELSEWHERE)
def test_what_a_place_cannot_do_is_refused_with_the_places_that_can(tmp_path: Path, step: str) -> None:
    ground, said = ELSEWHERE[step]
    read = read_scenario(written(tmp_path, f"- pass: 1\n- {step}"))
    with pytest.raises(DocumentError, match=said) as refused:
        fit_for(read, ground)
    assert refused.value.line == 5


def test_a_scenario_is_run_only_where_it_says(tmp_path: Path) -> None:
    read = read_scenario(written(tmp_path, "- pass: 1", "run_on: [pcscd]"))
    fit_for(read, "pcscd")
    with pytest.raises(DocumentError, match="choose --on pcscd"):
        fit_for(read, "in-process")
