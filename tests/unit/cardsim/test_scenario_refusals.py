"""What is refused before a run begins, what is not, and what only a run can show."""

import tempfile
import threading
from pathlib import Path

import pytest
from support.scenarios import BEGUN, ran, refused, written

from cardsim.lab import Lab
from cardsim.scenario.grounds.process import CentreProcess
from cardsim.scenario.outcome import Came
from cardsim.scenario.runner import Job, run

ONE = "people: {one: {generate: {count: 1}}}"
RIGHT = """
- choose:
    - do:
        - activate: {route: hospital, station: "{station}", visit: {kind: outpatient, number: "{one.register.name}"}}
          as: it
    - do:
        - call: activation.start
          params: {route: hospital, visit: {kind: outpatient, number: "{seed}"}, station: "{station}", wait_s: "{seed}"}
          as: it
- together:
    - - wait: activation.*
        of: it
        where: {type: "*.activation.step.v1", prompt.code: "*", data.state: [waiting_social_card, "{it.state}"]}
        as: told
      - call: activation.get
        params: {activation: "{told.activation}"}
        where: {holder: null, prompt.text.en: "*"}
    - - insert: one.social
      - wait: card.identified
        where: {authentic: "true", "*": psam}
        within_s: 0
- expect: {activation: it}
- expect: {card: social-jia-3.0, where: {files.DF03EF05.60: "*", files.DF04EF08.1: "*", "applications.*.pin_tries": 6}}
"""


def test_names_that_a_way_may_have_set_and_paths_that_some_event_has_are_no_mistakes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (failure,) = refused(monkeypatch, written(tmp_path, RIGHT, ONE)).failures
    assert failure.came == BEGUN


def test_a_persons_name_and_the_only_station_stand_for_themselves_in_a_text(tmp_path: Path) -> None:
    timeline = """
- activate: {route: hospital, station: "{station}", visit: {kind: outpatient, number: "{one.register.name}"}}
- expect: {register: one, where: {name: "{one.register.name}"}}
- call: readers.list
  where: {readers.0.station: "{station}"}
"""
    assert ran(tmp_path, timeline, ONE).failures == []


COURSES = {
    "a card taken out in one of two ways": "- choose: [{do: [{insert: old-jia}]}, {do: [{pass: 1}]}]\n- remove:",
    "a card put in by another timeline": "- together: [[{insert: old-jia}], [{pass: 1}, {remove: null}]]",
    "a card taken out by another timeline": "- together: [[{insert: old-jia}, {insert: old-yi}], [{remove: null}]]",
    "a reader that a name says": '- repeat: 1\n  do:\n    - insert: old-jia\n      reader: "reader-{seed}"\n- remove:',
    "a daemon started at the side": "- kill: daemon\n- together: [[{start: daemon}], [{call: system.status}]]",
    "a card in and out in every round": "- repeat: 3\n  do: [{insert: old-jia}, {remove: null}]\n- insert: old-yi",
}


@pytest.mark.parametrize("timeline", COURSES.values(), ids=COURSES)
def test_what_is_not_certain_is_not_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, timeline: str) -> None:
    (failure,) = refused(monkeypatch, written(tmp_path, timeline)).failures
    assert failure.came == BEGUN


def test_the_register_of_a_running_daemon_is_looked_at_only_where_the_call_says_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, '- expect: {register: "510101190001010013"}')
    config = tmp_path / "cardd.yaml"
    config.write_text("authority: {}", encoding="utf-8")
    (failure,) = run(Job(path, ground="running", lab=tmp_path)).failures
    assert (failure.place, "add --config FILE" in failure.came) == (f"{path}:4:24", True)
    (failure,) = refused(monkeypatch, path, ground="running", config=config).failures
    assert failure.came == BEGUN


def test_a_configuration_that_is_none_is_refused_before_the_running_daemon_is_asked_anything(tmp_path: Path) -> None:
    config = tmp_path / "cardd.yaml"
    config.write_text("- authority", encoding="utf-8")
    path = written(tmp_path, "- pass: 1")
    result = run(Job(path, ground="running", lab=tmp_path, socket=tmp_path / "none", config=config))
    assert (result.came, result.failures[0].place) == (Came.BROKEN, f"{config}:1:1")


def test_a_run_leaves_no_folder_and_no_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(threading.enumerate())
    # a socket's path is short
    with tempfile.TemporaryDirectory(prefix="left-") as left:
        monkeypatch.setenv("TMPDIR", left)
        timeline = "- insert: old-jia\n- expect: {no_event: card.inserted}"
        assert ran(tmp_path, timeline, "centre: true").came is Came.FAILED
        assert list(Path(left).iterdir()) == []
    # the feed hears last that it is over
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive(), thread.name


def test_settings_are_refused_before_a_pcscd_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(Lab, "start", lambda *_: pytest.fail("a pcscd was begun"))
    monkeypatch.setattr(CentreProcess, "start", lambda _: pytest.fail("a centre was begun"))
    path = written(tmp_path, "- pass: 1", "centre: true\nsettings: {activation: {pin_polcy: change}}")
    result = run(Job(path, ground="pcscd"))
    assert (result.came, result.failures[0].place) == (Came.BROKEN, f"{path}:3:36")
    assert "did you mean `pin_policy`?" in result.failures[0].came
    assert [one.name for one in tmp_path.iterdir()] == ["a.yaml"]


def test_what_only_its_run_shows_to_be_wrong_is_told_without_the_words_of_programs(tmp_path: Path) -> None:
    timeline = '- insert: old-jia\n- insert: old-yi\n  reader: "reader-{n}"'
    steps = "- repeat: 1\n  do:\n" + "\n".join(f"    {one}" for one in timeline.replace("{n}", "0").splitlines())
    named = steps.replace("reader-0", "{it.readers.0.reader}")
    path = written(tmp_path, f"- call: readers.list\n  as: it\n{named}")
    result = run(Job(path))
    assert (result.came, result.failures[0].place) == (Came.BROKEN, f"{path}:9:9")
    assert result.failures[0].came == "there is a card in `reader-0`: remove it first"
