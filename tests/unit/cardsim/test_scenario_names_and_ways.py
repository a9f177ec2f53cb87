"""Events that are given a name, ways that are for one ground only, and what the centre sends for invented people."""

from pathlib import Path

from support.scenarios import ran, written

from cardsim.scenario.outcome import Came
from cardsim.scenario.reading import fit_for, read_scenario

HANDOFF = """
- insert: someone.old
- wait: activation.started
  as: it
- wait: activation.step
  of: it
  where: {state: waiting_social_card}
  answering: right
- remove:
- insert: someone.social
- wait: activation.completed
  of: it
  as: "end"
- remove:
"""


def test_an_event_of_an_activation_that_is_given_a_name_stands_for_it(tmp_path: Path) -> None:
    timeline = HANDOFF + (
        """
- expect: {activation: it, outcome: activated}
- expect: {events: {activation.completed: 1}, where: {correlationid: "{end.correlationid}", outcome: "{end.outcome}"}}
- expect: {card: someone.social, where: {files.SSSEEF05.06: "20440101"}}
- expect: {register: someone, where: {cards.0.status: normal, old_cards.0.status: void}}
"""
    )
    head = """
people:
  someone: {generate: {count: 1, password: 1, updates: {SSSEEF05: {"06": 20440101}}}}
"""
    result = ran(tmp_path, timeline, head)
    assert (result.came, result.failures) == (Came.PASSED, [])


def test_an_event_that_did_not_come_before_the_prompts_were_answered_fails(tmp_path: Path) -> None:
    timeline = "- insert: old-bing\n- wait: activation.completed\n  answering: right\n  within_s: 2"
    (failure,) = ran(tmp_path, timeline).failures
    assert failure.expected == "activation.completed within 2 s"


WAYS = """
- choose:
    - grounds: [pcscd]
      do: [{restart: pcscd}]
    - grounds: [in-process]
      do: [{call: system.status}]
- choose:
    - grounds: [pcscd]
      do: [{kill: pcscd}]
- choose:
    - do: [{pass: 1}]
    - do: [{pass: 2}]
    - do: [{pass: 3}]
"""


def test_a_way_is_taken_on_its_grounds_only_and_none_where_all_are_for_others(tmp_path: Path) -> None:
    for seed in range(5):
        result = ran(tmp_path, WAYS, seed=seed)
        assert (result.came, result.steps) == (Came.PASSED, 2)
    fit_for(read_scenario(written(tmp_path, WAYS)), "pcscd")


def test_what_is_for_other_grounds_changes_nothing_of_what_is_chosen_afterwards(tmp_path: Path) -> None:
    later = WAYS[WAYS.rindex("- choose") :]
    other = "- choose: [{do: [{call: system.status}]}]\n" * 2 + later
    for seed in range(5):
        one, two = ran(tmp_path, WAYS, seed=seed), ran(tmp_path, other, seed=seed)
        assert round(one.passed_s) == round(two.passed_s)
