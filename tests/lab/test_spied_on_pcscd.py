"""A program's commands, written down by pcsc-lite's own spy library, become a trace that is replayed."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from support.spied import compiled

from cardsim.lab import Lab
from cardsim.rig import program
from cardsim.trace import load_traces

SELECT = "00A404000F7378312E73682EC9E7BBE1B1A3D5CF"
COMMANDS = [SELECT, "00C000001E", "0084000008", "0020000003123456", "00B2072C0B"]
SPY = "libpcscspy.so.0"


@pytest.fixture(scope="module")
def spied_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("spied"))


def spied(lab: Lab, made: Path, home: Path, reader: str, *commands: str) -> list[str]:
    """Run a program under the spy, which writes where its HOME is, and return the answers that it got."""
    home.joinpath("pcsc-spy").touch()
    found = {"PCSCLITE_CSOCK_NAME": str(lab.pcscd_socket), "HOME": str(home), "LD_PRELOAD": SPY}
    words = [str(made), reader, *commands]
    done = subprocess.run(words, env={**os.environ, **found}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # the spy prints too, which library it did not find first
    return done.stdout.splitlines()[-len(commands) :]


def test_what_the_spy_wrote_down_is_a_trace(
    lab: Lab, readers: tuple[str, ...], spied_program: Path, tmp_path: Path
) -> None:
    lab.insert_persona("social-jia-3.0", 0, fresh=True)
    answers = spied(lab, spied_program, tmp_path, readers[0], *COMMANDS)
    trace = tmp_path / "trace.jsonl"
    words = [program("cardsim"), "spy", str(tmp_path / "pcsc-spy"), str(trace), "--secrets"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == f"spy-1: 5 exchanges in {readers[0]}\n"
    (stay,) = load_traces(trace)
    assert stay.atr == bytes.fromhex("3B6D00000081544C9686845101C0FFEE01")
    assert [exchange.command.hex().upper() for exchange in stay.exchanges] == COMMANDS
    assert [exchange.response.hex().upper() for exchange in stay.exchanges] == answers


def test_masked_it_is_replayed_to_the_same_program(
    lab: Lab, readers: tuple[str, ...], spied_program: Path, tmp_path: Path
) -> None:
    lab.insert_persona("social-jia-3.0", 0, fresh=True)
    answers = spied(lab, spied_program, tmp_path, readers[0], *COMMANDS)
    lab.remove(0)
    trace = tmp_path / "trace.jsonl"
    subprocess.run([program("cardsim"), "spy", str(tmp_path / "pcsc-spy"), str(trace)], check=True, capture_output=True)
    text = trace.read_text(encoding="ascii")
    assert "123456" not in text
    assert answers[-1][4:-4] not in text
    assert trace.stat().st_mode & 0o777 == 0o600
    assert sum("masked" in json.loads(line) for line in text.splitlines()) == 1
    lab.replay(str(trace), 0, "spy-1")
    found = {"PCSCLITE_CSOCK_NAME": str(lab.pcscd_socket)}
    words = [str(spied_program), readers[0], *COMMANDS]
    again = subprocess.run(words, env={**os.environ, **found}, capture_output=True, text=True, check=True)
    value = len(answers[-1]) - 8
    assert again.stdout.split() == [*answers[:-1], f"{answers[-1][:4]}{'0' * value}9000"]
