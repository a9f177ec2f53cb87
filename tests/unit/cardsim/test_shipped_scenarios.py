"""The scenarios that come with the simulator: each in its short form here, and what its checks are worth."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from cardsim.cli import cli, main
from cardsim.scenario.expected import CardIs, Events, RegisterHas
from cardsim.scenario.model import Expect
from cardsim.scenario.outcome import Came
from cardsim.scenario.plan import steps_of
from cardsim.scenario.reading import fit_for, read_scenario
from cardsim.scenario.runner import Job, run
from cardsim.scenario.shipped import SCENARIOS, names

ISSUED = {
    "morning-rush",
    "clumsy-clerk",
    "night-of-power-cuts",
    "hospital-registration-hour",
    "bank-branch",
    "hostile-cards",
}


def test_there_are_those_that_were_promised_and_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert set(names()) == ISSUED
    assert main(["run", "--list"]) == 0
    listed = capsys.readouterr().out
    assert [name for name in ISSUED if f"{name}  [in-process, pcscd]\n    " not in listed] == []


@pytest.mark.parametrize("name", sorted(ISSUED))
def test_a_shipped_scenario_passes_in_its_short_form(name: str) -> None:
    result = run(Job(SCENARIOS / f"{name}.yaml", short=True))
    assert (result.came, result.failures) == (Came.PASSED, [])
    assert result.took_s < 20


@pytest.mark.parametrize("name", sorted(ISSUED))
def test_a_shipped_scenario_has_a_longer_form_runs_on_pcscd_too_and_looks_at_card_register_and_events(
    name: str,
) -> None:
    read = read_scenario(SCENARIOS / f"{name}.yaml")
    fit_for(read, "pcscd")
    groups = [group.generate for group in read.scenario.people.values() if group.generate is not None]
    assert all(group.short is not None and group.count >= 10 * group.short for group in groups)
    looked = {type(step.expect) for step in steps_of(read.scenario.timeline) if isinstance(step, Expect)}
    assert looked >= {CardIs, RegisterHas, Events}


def variants() -> Iterator[tuple[str, str, str]]:
    yield "morning-rush", "cards.0.status: normal", "cards.0.status: lost"
    yield "morning-rush", 'files.SSSEEF05.06: "20440101"', 'files.SSSEEF05.06: "20440102"'
    yield "morning-rush", "activation.completed: 1,", "activation.completed: 2,"
    yield "clumsy-clerk", "old_cards.0.status: valid", "old_cards.0.status: void"
    yield "night-of-power-cuts", "events: {activation.completed: 1}", "events: {activation.completed: 2}"
    yield "night-of-power-cuts", "where: {cards.0.status: normal}", "where: {cards.0.status: not_enabled}"
    yield "hospital-registration-hour", "where: {cards.0.status: lost}", "where: {cards.0.status: normal}"
    yield "hospital-registration-hour", "short: {activation.completed: 9}", "short: {activation.completed: 8}"
    yield "bank-branch", 'pin: "246810"', 'pin: "246811"'
    yield "hostile-cards", "{cards.0.status: not_enabled}", "{cards.0.status: normal}"
    yield (
        "hostile-cards",
        "key.stopped: 0}\n      short: {activation.completed: 2",
        "key.stopped: 0}\n      short: {activation.completed: 1",
    )


@pytest.mark.parametrize(("name", "right", "wrong"), tuple(variants()))
def test_what_a_shipped_scenario_looks_at_would_be_noticed(tmp_path: Path, name: str, right: str, wrong: str) -> None:
    written = (SCENARIOS / f"{name}.yaml").read_text(encoding="utf-8")
    assert right in written
    changed = tmp_path / "changed.yaml"
    changed.write_text(written.replace(right, wrong), encoding="utf-8")
    assert run(Job(changed, short=True)).came is Came.FAILED


@pytest.mark.night
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", sorted(ISSUED))
def test_a_shipped_scenario_passes_in_its_long_form(name: str) -> None:
    result = run(Job(SCENARIOS / f"{name}.yaml"))
    assert (result.came, result.failures) == (Came.PASSED, [])


def test_a_scenario_is_found_by_its_name_and_an_unknown_one_is_told_all_names() -> None:
    runner = CliRunner()
    assert "1 of 1 run: 1 passed" in runner.invoke(cli, ["run", "bank-branch", "--short"], standalone_mode=False).output
    assert main(["run"]) == 64
    refused = runner.invoke(cli, ["run", "morning"])
    assert all(name in refused.output for name in ISSUED)
