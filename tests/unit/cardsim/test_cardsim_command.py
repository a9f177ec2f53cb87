"""The command `cardsim` itself: what it lists, and the exit codes of sysexits."""

import io
import os
import sys
from pathlib import Path

import pytest

import cardsim
from cardsim.cli import main
from cardsim.persona import shipped

PERSONAS = Path(cardsim.__file__).parent / "personas"


def test_personas_are_listed_one_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["personas"]) == os.EX_OK
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(shipped())


@pytest.mark.parametrize("arguments", [["nothing"], ["exchange"], ["exchange", "old-jia", "--interface", "radio"]])
def test_a_wrong_call_is_told_as_one(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == os.EX_USAGE
    assert capsys.readouterr().err


def test_a_laboratory_that_was_not_named_is_told_with_the_variable_that_names_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CARDSIM_DIR", raising=False)
    assert main(["remove", "0"]) == os.EX_USAGE
    assert "set CARDSIM_DIR" in capsys.readouterr().err


def test_no_line_of_the_help_is_cut_off(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == os.EX_OK
    commands = capsys.readouterr().out.split("Commands:")[1]
    assert "sandbox" in commands
    assert "..." not in commands


def test_a_fault_that_a_persona_cannot_have_is_wrong_data_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "torn.yaml"
    shipped_one = (PERSONAS / "social-jia-3.0.yaml").read_text(encoding="utf-8")
    path.write_text(f"faults: [{{do: tear, at: reset}}]\n{shipped_one}", encoding="utf-8")
    assert main(["conformance", str(path)]) == os.EX_DATAERR
    assert capsys.readouterr().err.startswith(f"{path}:1:25: `faults[0].at`: ")


def test_a_persona_that_is_none_is_wrong_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["exchange", "nobody"]) == os.EX_DATAERR
    assert "shipped are" in capsys.readouterr().err


def test_the_memory_of_another_card_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = tmp_path / "memory"
    state.write_text('{"blocked": false, "challenges": 0, "applications": {}}', encoding="utf-8")
    assert main(["exchange", "old-jia", "--state", str(state)]) == os.EX_DATAERR
    assert "another card" in capsys.readouterr().err


def test_an_empty_memory_is_that_of_a_fresh_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = tmp_path / "memory"
    state.touch()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert main(["exchange", "old-jia", "--state", str(state)]) == os.EX_OK
    assert state.stat().st_size
