"""Scenarios run in this process, against the whole daemon."""

from pathlib import Path

import pytest
from support.scenarios import ran, told

from cardsim.scenario.outcome import Came

HANDOFF = """
- insert: {old}
- wait: activation.step
  where: {{state: waiting_social_card}}
  answering: right
- remove:
- insert: {social}
- wait: activation.completed
  where: {{outcome: activated}}
  answering: right
- remove:
"""


def steps(text: str, by: int) -> str:
    """Return lines further in."""
    return "\n".join(" " * by + line if line else line for line in text.strip().splitlines())


def test_a_handoff_is_made_and_everything_that_it_changed_is_looked_at(tmp_path: Path) -> None:
    timeline = HANDOFF.format(old="old-jia", social="social-jia-3.0") + (
        """
- expect: {events: {activation.completed: 1, activation.refused: 0}}
- expect: {no_event: card.rejected}
- expect: {at_least: {card.inserted: 2}, where: {subject: reader-0}}
- expect: {card: social-jia-3.0, where: {blocked: false, pin_tries: 6, pin: 123456, files.SSSEEF05.07: T0000001X}}
- expect: {register: 510101190001010012, where: {cards.0.status: normal, "old_cards.*.status": void}}
"""
    )
    result = ran(tmp_path, timeline)
    assert (result.came, result.failures) == (Came.PASSED, [])
    assert result.steps == 11


def test_one_of_several_may_be_nothing(tmp_path: Path) -> None:
    begun = "- activate: {route: pharmacy}\n  as: it\n"
    assert ran(tmp_path, f"{begun}- expect: {{activation: it, outcome: [activated, null]}}").failures == []
    (failure,) = ran(tmp_path, f"{begun}- expect: {{activation: it, state: [completed, null]}}\n  within_s: 1").failures
    assert failure.came == "state is waiting_old_card, not completed or nothing"


FAILING = {
    "an event that does not come": ("- wait: card.identified\n  within_s: 3", "card.identified within 3 s", "no event"),
    "too many events": (
        "- insert: old-jia\n- wait: card.identified\n- expect: {events: {card.inserted: 0}}",
        "expect events",
        "1 of card.inserted",
    ),
    "too few events": (
        "- expect: {events: {card.inserted: 1, card.removed: 0}}",
        "expect events card.inserted: 1, card.removed: 0",
        "0 of card.inserted, not 1",
    ),
    "too few events of those that are meant": (
        "- insert: old-jia\n- expect: {at_least: {card.inserted: 1}, where: {subject: [a, b]}}",
        "expect at_least card.inserted: 1 (subject: a or b)",
        "0 of card.inserted, not 1",
    ),
    "an event that must not be": (
        "- insert: old-jia\n- wait: card.identified\n- expect: {no_event: card.ins*}",
        "expect no_event",
        "1 of card.ins*",
    ),
    "a card that is otherwise": (
        "- expect: {card: social-jia-3.0, where: {pin_tries: 5}}",
        "expect card social-jia-3.0",
        "pin_tries is 6, not 5",
    ),
    "a register that is otherwise": (
        "- expect: {register: 510101190001010012, where: {cards.0.status: normal}}",
        "expect register",
        "cards.0.status is not_enabled, not normal",
    ),
    "an answer that is otherwise": (
        "- call: readers.list\n  where: {readers.0.state: present}",
        "readers.list answers",
        "readers.0.state is empty, not present",
    ),
    "a refusal": ("- read:\n  wait_s: 1", "card.read succeeds", "NO_CARD"),
    "no refusal": (
        "- call: system.status\n  refused: BUSY",
        "system.status is refused with BUSY",
        "it succeeded",
    ),
    "no prompt": ("- answer: right\n  within_s: 1", "a prompt within 1 s", "no event"),
    "an activation that ends otherwise": (
        "- activate: {route: pharmacy}\n  as: it\n- expect: {activation: it, state: completed}",
        "expect activation it",
        "state is waiting_old_card, not completed",
    ),
}


@pytest.mark.parametrize(("timeline", "expected", "came"), FAILING.values(), ids=FAILING)
def test_what_is_not_as_expected_is_told_with_its_step(tmp_path: Path, timeline: str, expected: str, came: str) -> None:
    result = ran(tmp_path, timeline)
    (failure,) = result.failures
    last = 3 + max(number for number, line in enumerate(timeline.splitlines(), 1) if line.startswith("- "))
    assert result.came is Came.FAILED
    assert (failure.place, expected in failure.expected, came in failure.came) == (
        f"{tmp_path / 'a.yaml'}:{last}",
        True,
        True,
    ), failure
    assert f"--seed {result.seed}" in result.again


def test_no_pin_number_or_name_stands_in_a_failure(tmp_path: Path) -> None:
    timeline = """
- expect:
    card: social-jia-3.0
    where: {pin: 654321, files.SSSEEF06.08: "1", files.SSSEEF06.09: "1"}
  within_s: 0
"""
    (failure,) = ran(tmp_path, timeline).failures
    for secret in ("654321", "123456", "510101190001010012", "测试甲"):
        assert secret not in failure.came
    assert "5101************12" in failure.came


def test_stations_work_side_by_side_and_each_sees_its_own_events_only(tmp_path: Path) -> None:
    timeline = """
- together:
    - - at: counter-0
        do:
          - insert: old-jia
          - wait: card.identified
          - expect: {events: {card.inserted: 1}}
    - - at: counter-1
        do:
          - insert: old-yi
          - wait: card.identified
          - expect: {events: {card.inserted: 1}}
- expect: {events: {card.inserted: 2}}
"""
    assert ran(tmp_path, timeline, "stations: 2\npsam: none").came is Came.PASSED


def test_a_loop_is_dealt_out_over_stations(tmp_path: Path) -> None:
    timeline = """
- repeat: 7
  across: all
  do:
    - call: activation.start
      params: {route: pharmacy, station: "{station}", request: "r{n}"}
      as: it
    - call: activation.cancel
      params: {activation: "{it.activation}"}
- at: counter-0
  do: [{expect: {events: {activation.cancelled: 4}}}]
- at: counter-1
  do: [{expect: {events: {activation.cancelled: 3}}}]
"""
    assert ran(tmp_path, timeline, "stations: 2").failures == []


def test_a_short_run_does_the_short_counts(tmp_path: Path) -> None:
    timeline = "- repeat: 50\n  short: 2\n  do: [{pass: 1}]"
    assert (ran(tmp_path, timeline).passed_s, ran(tmp_path, timeline, short=True).passed_s) == (50, 2)


def test_a_prompt_is_answered_wrong_and_then_right(tmp_path: Path) -> None:
    timeline = """
- insert: old-bing
- answer: wrong
  to: old_card_password
- wait: prompt.closed
- answer: right
- wait: activation.step
  where: {state: waiting_social_card}
- remove:
"""
    with told(tmp_path, timeline) as story:
        assert story.failures == []
        prompts = [one.event.data["tries_left"] for one in story.feed.told if one.kind == "prompt.opened"]
    assert prompts == [6, 5]


def test_a_new_pin_is_chosen_by_the_seed_typed_twice_and_on_the_card_afterwards(tmp_path: Path) -> None:
    timeline = HANDOFF.format(old="old-jia", social="social-jia-3.0")
    head = "settings: {activation: {pin_policy: {pharmacy: change}}}"
    with told(tmp_path, timeline, head, seed=7) as story:
        assert story.failures == []
        pin = story.chance.digits(6, "new-pin", "social-jia-3.0")
        card = story.cast.card("social-jia-3.0")
        memory = story.ground.memory(card)
    assert memory["applications"]["SSSE"]["pin"] == pin


def test_faults_of_a_stay_end_with_it(tmp_path: Path) -> None:
    timeline = """
- insert: social-jia-3.0
  faults: [{do: answer, at: SELECT, word: 6A81}]
- wait: card.rejected
- remove:
- insert: social-jia-3.0
- wait: card.identified
"""
    assert ran(tmp_path, timeline).failures == []


def test_a_fresh_card_has_forgotten(tmp_path: Path) -> None:
    timeline = HANDOFF.format(old="old-jia", social="social-jia-3.0") + (
        """
- insert: social-jia-3.0
  fresh: true
- expect: {card: social-jia-3.0, where: {pin: 123456}}
"""
    )
    head = "settings: {activation: {pin_policy: {pharmacy: change}}}"
    assert ran(tmp_path, timeline, head).failures == []


def test_a_daemon_that_is_killed_goes_on_where_it_stood_and_one_that_is_restarted_says_goodbye(tmp_path: Path) -> None:
    timeline = """
- activate: {route: pharmacy}
  as: it
- kill: daemon
- start: daemon
- expect: {activation: it, state: waiting_old_card}
- expect: {events: {service.stopping: 0, activation.resumed: 1}}
- restart: daemon
- expect: {activation: it, state: waiting_old_card}
- expect: {events: {service.stopping: 1}}
"""
    assert ran(tmp_path, timeline).failures == []


def test_a_centre_that_is_killed_answers_nobody_and_has_kept_its_register(tmp_path: Path) -> None:
    timeline = (
        HANDOFF.format(old="old-jia", social="social-jia-3.0")
        + """
- kill: centre
- insert: old-yi
- wait: activation.refused
  where: {reason: AUTHORITY_UNAVAILABLE}
  within_s: 100
- remove:
- start: centre
- expect: {register: 510101190001010012, where: {cards.0.status: normal}}
- centre: ["500@look_up_old_card:1"]
"""
        + HANDOFF.format(old="old-ding", social="social-ding-1.0")
    )
    assert ran(tmp_path, timeline, "centre: true").failures == []


def test_settings_that_are_none_are_told_where_they_stand_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    result = ran(tmp_path, "- pass: 1", "settings:\n  activation: {pin_polcy: change}")
    assert (result.came, result.failures[0].place) == (Came.BROKEN, f"{tmp_path / 'a.yaml'}:3:27")
    assert "did you mean `pin_policy`?" in result.failures[0].came
    assert not list(tmp_path.glob("cardsim-run-*"))


def test_invented_people_bring_their_cards_and_the_register_knows_them(tmp_path: Path) -> None:
    head = """
stations: 2
people:
  rush: {generate: {count: 50, short: 4, regions: [510100], password: 0.5}}
  others: {generate: {count: 2, regions: [510100], old_card: none}}
"""
    timeline = (
        "- for_each: rush\n  across: all\n  do:\n"
        + steps(HANDOFF.format(old="person.old", social="person.social"), 4)
        + """
- for_each: others
  as: other
  do:
    - expect: {register: other, where: {cards.0.status: not_enabled, name: "{other.register.name}"}}
- expect: {events: {activation.completed: 50}, short: {activation.completed: 4}}
"""
    )
    assert ran(tmp_path, timeline, head, short=True).failures == []


def test_somebody_of_the_register_who_is_named_by_number_is_told_by_a_masked_one(tmp_path: Path) -> None:
    timeline = "- expect: {register: 510101190001010012, where: {name: nobody}}\n  within_s: 0"
    (failure,) = ran(tmp_path, timeline).failures
    assert failure.expected == "expect register 5101************12"
