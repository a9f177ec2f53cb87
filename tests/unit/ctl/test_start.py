import os
import subprocess
import sys
from pathlib import Path

import pytest

from cardd import __version__

CARDCTL = [sys.executable, "-m", "cardd.ctl.start"]


def test_what_was_printed_arrives_also_in_a_pipe() -> None:
    shown = subprocess.run([*CARDCTL, "--version"], capture_output=True, text=True, check=True)
    assert __version__ in shown.stdout


def test_the_exit_code_is_that_of_the_command_and_the_sentence_is_on_standard_error(tmp_path: Path) -> None:
    command = [*CARDCTL, "--socket", str(tmp_path / "none"), "status"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == os.EX_UNAVAILABLE
    assert "there is no socket" in ended.stderr
    assert subprocess.run([*CARDCTL, "no-such"], capture_output=True, check=False).returncode == os.EX_USAGE


def test_output_that_cannot_be_written_is_told() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        ended = subprocess.run([*CARDCTL, "--version"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode != os.EX_OK
    assert "No space left" in ended.stderr


@pytest.mark.parametrize("module", ["concurrent.futures", "logging", "secrets", "asyncio", "yaml"])
def test_a_reading_without_password_does_not_wait_for_what_it_does_not_need(module: str) -> None:
    code = f"import sys, cardd.ctl.start, cardd.ctl.main, cardd.ctl.read; sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == os.EX_OK
