"""Man pages and completion files: made of the programs, current, and good for man, bash and zsh."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from support.aside import counter_aside

from cardd.ctl.main import cardctl
from cardd.wire.activation import ActivationStartParams, Route

ROOT = Path(__file__).parents[3]
PAGES = sorted((ROOT / "docs" / "man").iterdir())


@pytest.mark.parametrize("tool", ["man.py", "completion.py"])
def test_what_is_in_the_repository_is_what_the_programs_say_now(tool: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / tool), "--check"], capture_output=True, text=True, check=False
    )
    assert done.stdout + done.stderr == ""
    assert done.returncode == os.EX_OK


def rendered(page: Path) -> "subprocess.CompletedProcess[str]":
    around = {**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "100", "MANROFFOPT": "-ww", "MANPAGER": "cat"}
    return subprocess.run(
        ["man", "--warnings", "-l", str(page)], env=around, capture_output=True, text=True, check=True
    )


def test_there_is_a_page_for_each_program_and_for_the_configuration() -> None:
    assert [page.name for page in PAGES] == ["cardctl.1", "cardd.8", "cardd.yaml.5", "cardsim.1"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_rendered_without_a_warning(page: Path) -> None:
    done = rendered(page)
    assert done.stderr == ""
    assert "NAME" in done.stdout
    assert "SEE ALSO" in done.stdout
    # markup that was not understood would stand there as it was written
    assert "\\f" not in done.stdout
    assert "`" not in done.stdout


def test_every_command_of_cardctl_is_on_its_page_with_its_options() -> None:
    shown = rendered(ROOT / "docs" / "man" / "cardctl.1").stdout
    for name in cardctl.list_commands(click.Context(cardctl)):
        assert f"\n   {name}\n" in shown
    assert "--old-card NUMBER" in shown


def test_every_key_of_the_configuration_is_on_its_page_with_its_default() -> None:
    shown = rendered(ROOT / "docs" / "man" / "cardd.yaml.5").stdout
    assert "stations[].readers[].match" in shown
    assert "whole number (at least 1, at most 36500); default: 366." in shown


def completed(*words: str) -> list[str]:
    """Return what bash offers for the last of the words."""
    name = words[0]
    script = f"""
        source {ROOT}/completion/bash/{name}
        COMP_WORDS=({" ".join(f"'{word}'" for word in words)}) COMP_CWORD={len(words) - 1} COMP_LINE='{" ".join(words)}'
        _{name}{"_completion" if name != "cardd" else ""} {name}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    around = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], env=around, capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("cardctl", "do"), ["doctor"]),
        (("cardctl", "journal", "v"), ["verify"]),
        (("cardctl", "activate", "h"), ["hospital"]),
        (("cardctl", "read", "--pu"), ["--purpose"]),
        (("cardsim", "sand"), ["sandbox"]),
        (("cardd", "jour"), ["journal"]),
        (("cardd", "journal", "e"), ["export"]),
        (("cardd", "journal", "verify", "--ag"), ["--against"]),
    ],
)
def test_bash_completes_commands_and_options(words: tuple[str, ...], offered: list[str]) -> None:
    assert completed(*words) == offered


def test_readers_and_open_activations_are_completed_by_the_daemon_and_nothing_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARDD_SOCKET", str(tmp_path / "cardd.sock"))
    assert completed("cardctl", "read", "fr") == []
    with counter_aside(tmp_path) as running:
        start = ActivationStartParams(route=Route.PHARMACY)
        running.do(running.desk.activations.start(start, client="test"))
        assert completed("cardctl", "read", "fr") == ["front"]
        assert completed("cardctl", "pin", "verify", "x") == []
        assert completed("cardctl", "cancel", "a") == ["act-1"]
        monkeypatch.delenv("CARDD_SOCKET")
        assert completed("cardctl", "--socket", str(tmp_path / "cardd.sock"), "lend", "f") == ["front"]


def test_zsh_reads_the_files() -> None:
    for file in (ROOT / "completion" / "zsh").iterdir():
        subprocess.run(["zsh", "-n", str(file)], check=True)
