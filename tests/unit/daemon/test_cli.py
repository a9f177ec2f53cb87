import os
from pathlib import Path

import pytest

from cardd.cli import main


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["check", "--nothing"], ["register"], ["register", "hide"]])
def test_a_command_that_is_not_understood_is_a_mistake_in_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == os.EX_USAGE
    assert "usage: cardd" in capsys.readouterr().err


def test_a_trace_that_cannot_be_written_keeps_the_daemon_from_starting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "cardd.yaml"
    config.write_text("stations: []\n", encoding="utf-8")
    assert main(["run", "--config", str(config), "--trace", str(tmp_path / "no" / "trace")]) == os.EX_CONFIG
    told = capsys.readouterr().err
    assert told == f"cardd: the trace {tmp_path / 'no' / 'trace'} cannot be written: No such file or directory\n"


def test_secrets_without_a_trace_are_a_mistake_in_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--config", str(tmp_path / "none"), "--trace-secrets"]) == os.EX_USAGE
    assert "--trace-secrets goes with --trace FILE" in capsys.readouterr().err
