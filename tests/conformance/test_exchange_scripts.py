"""Scripts of commands with the answers that the rule demands, through the command that outside tests use."""

import io
import os
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from cardsim.cli import main
from cardsim.persona import shipped

SCRIPTS = Path(__file__).parents[1] / "vectors" / "exchange"
ARROW, ANY = "->", "*"


class Script(NamedTuple):
    persona: str
    options: list[str]
    lines: list[str]

    @property
    def commands(self) -> str:
        return "".join(f"{line.partition(ARROW)[0].strip()}\n" for line in self.lines)

    def told(self, answers: list[str]) -> list[str]:
        """Write the script again with the answers that came; `*` stays where any will do."""
        remaining = iter(answers)
        told = []
        for line in self.lines:
            command, arrow, expected = (part.strip() for part in line.partition(ARROW))
            answer = next(remaining, "no answer") if arrow else ""
            told.append(f"{command} {arrow} {ANY if expected == ANY else answer}".strip())
        return [*told, *remaining]


def scripts() -> list[object]:
    found: list[object] = []
    for path in sorted(SCRIPTS.glob("*.yaml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        for entry in document["scripts"]:
            options = ["--interface", entry["interface"]] if "interface" in entry else []
            persona = document["cards"].get(entry["card"], entry["card"])
            script = Script(persona, options, [line.strip() for line in entry["lines"].splitlines()])
            found.append(pytest.param(script, id=f"{path.stem}: {entry['name']} ({entry.get('interface', 'default')})"))
    return found


@pytest.mark.parametrize("script", scripts())
def test_the_card_answers_as_the_rule_says(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    persona = script.persona
    if persona not in shipped():
        persona = str(tmp_path / "card.yaml")
        Path(persona).write_text(script.persona, encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(script.commands.encode())))
    assert main(["exchange", persona, *script.options]) == os.EX_OK
    answers, complaints = capsys.readouterr()
    assert script.told(answers.splitlines()) == script.lines
    assert not complaints
