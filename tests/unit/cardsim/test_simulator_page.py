"""What docs/simulator.md says, held to the simulator: its commands, words, tables and numbers."""

import re
from pathlib import Path
from typing import get_args

import click
import msgspec
import pytest
from support.page import blocks_of, follow
from support.scenarios import written

from cardd.base.document import DocumentError
from cardsim.cli import cli
from cardsim.scenario import model
from cardsim.scenario.expected import AnyExpectation
from cardsim.scenario.outcome import EXIT
from cardsim.scenario.reading import fit_for, read_scenario
from cardsim.scenario.shipped import SCENARIOS, names

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "simulator.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def rows(text: str, head: str) -> dict[str, list[str]]:
    """Return a table's rows by their first cell's first word."""
    lines = text.partition(f"| {head} |")[2].partition("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return {word: row for row in cells for word in re.findall(r"`([^`]*)`", row[0])}


def keys_of(kind: type) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(kind)} - {"@place"}


def said(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]*)`", cell))


def test_every_command_of_the_page_does_what_stands_there(tmp_path: Path) -> None:
    blocks = blocks_of(PAGE)
    assert sum(len(block.commands) for block in blocks) > 12
    follow(blocks, tmp_path)


@pytest.mark.parametrize(
    ("kinds", "head"),
    [
        (get_args(model.AnyStep), "verb | other keys | what it does, and when it is done"),
        (get_args(AnyExpectation), "key | other keys | what must be so"),
    ],
    ids=["steps", "expectations"],
)
def test_the_vocabulary_is_the_models(kinds: tuple[type[msgspec.Struct], ...], head: str) -> None:
    table = rows(section("The vocabulary"), head)
    wanted = {str(kind.__struct_config__.tag): keys_of(kind) for kind in kinds}
    assert {verb: {verb} | said(row[1]) for verb, row in table.items()} == wanted


def test_a_scenarios_own_keys_and_those_of_invented_people_are_the_models() -> None:
    head, _, invented = section("The vocabulary").partition("**Invented people.**")
    assert set(rows(head, "key | what")) == keys_of(model.Scenario)
    assert set(rows(invented, "key | what")) == keys_of(model.GenerateSpec)
    assert said(rows(invented, "key | what")["status"][1]) >= keys_of(model.StatusMix)


def test_the_exit_codes_are_the_commands() -> None:
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", section("Reports and exit codes"), re.MULTILINE)}
    assert told == {*EXIT.values(), click.UsageError("").exit_code and 64}


def test_the_shipped_scenarios_are_told_with_how_many_come() -> None:
    table = rows(section("Scenarios that are shipped"), "name | who comes | in a short run")
    assert set(table) == set(names())
    for name, row in table.items():
        people = [group.generate for group in read_scenario(SCENARIOS / f"{name}.yaml").scenario.people.values()]
        specs = [spec for spec in people if spec is not None]
        assert int(row[2]) == sum(spec.short or spec.count for spec in specs), name
        whole = sum(spec.count for spec in specs)
        assert str(whole).replace("200", "two hundred") in row[1], name


def test_every_command_and_option_that_is_named_is_there() -> None:
    context = click.Context(cli)
    named = re.findall(r"`cardsim ([a-z]+)([^`]*)`", PAGE)
    assert len(named) > 8
    for name, rest in named:
        command = cli.get_command(context, name)
        assert command is not None, name
        options = {option for parameter in command.params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= options, name
    run = cli.get_command(context, "run")
    assert run is not None
    options = {
        option for parameter in run.params for option in parameter.opts if not getattr(parameter, "hidden", False)
    }
    assert {option for option in options if option not in PAGE} == set()


def test_links_lead_somewhere() -> None:
    titles = {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]*)\)", PAGE):
        file, _, anchor = target.partition("#")
        assert (DOCS / file).exists() if file else anchor in titles, target


def test_the_table_of_powers_is_that_by_which_scenarios_are_refused(tmp_path: Path) -> None:
    grounds = ("in-process", "pcscd", "running")
    table = rows(section("Where a scenario runs"), "| `--on in-process` | `--on pcscd` | `--on running`")
    for verb in ("kill", "start", "restart", "stop", "continue"):
        for ground, cell in zip(grounds, table[verb][1:], strict=True):
            for machine in ("pcscd", "daemon", "centre"):
                head = "centre: true" if ground != "running" else ""
                read = read_scenario(written(tmp_path, f"- {verb}: {machine}", head))
                try:
                    fit_for(read, ground)
                except DocumentError:
                    assert machine not in cell.split(", "), (verb, ground, machine)
                else:
                    assert machine in cell.split(", "), (verb, ground, machine)
