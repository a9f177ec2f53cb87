"""Traces recorded and replayed with the commands that testers type, on a real pcscd."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cardd.pcsc.backend import PcscBackend
from cardsim.lab import Lab
from cardsim.rig import program

SELECT = bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF")
CHALLENGE = bytes.fromhex("0084000008")


def asked(backend: PcscBackend, reader: str, *commands: bytes) -> list[bytes]:
    connection = backend.connect(reader, exclusive=True)
    try:
        return [connection.transmit(command) for command in commands]
    finally:
        connection.disconnect(reset=True)


@pytest.fixture
def recorded(lab: Lab, readers: tuple[str, ...], backend: PcscBackend, tmp_path: Path) -> tuple[Path, list[bytes]]:
    """A trace of two commands, and their answers."""
    trace = tmp_path / "trace.jsonl"
    words = ["insert", "social-jia-3.0", "0", "--fresh", "--record", str(trace), "--dir", str(lab.directory)]
    subprocess.run([program("cardsim"), *words], check=True, capture_output=True)
    answers = asked(backend, readers[0], SELECT, CHALLENGE)
    lab.remove(0)
    return trace, answers


@pytest.fixture
def player(lab: Lab, recorded: tuple[Path, list[bytes]]) -> Iterator["subprocess.Popen[str]"]:
    words = ["replay", str(recorded[0]), "0", "--quiet", "0.3", "--dir", str(lab.directory)]
    running = subprocess.Popen([program("cardsim"), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stdout is not None
    assert running.stdout.readline().strip() == lab.readers[0]
    yield running
    running.kill()
    running.communicate()


def ended(player: "subprocess.Popen[str]") -> tuple[int, str]:
    _, told = player.communicate(timeout=10)
    return player.returncode, told


def test_a_recorded_stay_is_replayed_and_the_card_goes_out_by_itself(
    lab: Lab, backend: PcscBackend, recorded: tuple[Path, list[bytes]], player: "subprocess.Popen[str]"
) -> None:
    trace, answers = recorded
    assert [set(json.loads(line)) for line in trace.read_text().splitlines()] == [{"atr"}, {"c", "r"}, {"c", "r"}]
    assert asked(backend, lab.readers[0], SELECT, CHALLENGE) == answers
    assert ended(player) == (os.EX_OK, "cardsim: 2 of 2 exchanges replayed, 0 unexpected commands\n")
    # the reader is free again
    lab.insert_persona("old-jia", 0)


def test_an_unexpected_command_ends_a_replay_with_a_report(
    lab: Lab, backend: PcscBackend, player: "subprocess.Popen[str]"
) -> None:
    assert asked(backend, lab.readers[0], CHALLENGE) == [b"\x6f\x00"]
    code, told = ended(player)
    assert code == os.EX_DATAERR
    assert told.splitlines() == [
        "cardsim: 0 of 2 exchanges replayed, 1 unexpected commands",
        f"exchange 1: got {CHALLENGE.hex().upper()}, expected {SELECT.hex().upper()}",
    ]


def test_a_replayed_card_that_is_taken_out_early_is_no_success(lab: Lab, player: "subprocess.Popen[str]") -> None:
    lab.remove(0)
    assert ended(player) == (os.EX_DATAERR, "cardsim: 0 of 2 exchanges replayed, 0 unexpected commands\n")


def test_a_replay_that_is_interrupted_takes_its_card_along(lab: Lab, player: "subprocess.Popen[str]") -> None:
    player.terminate()
    code, _ = ended(player)
    assert code == os.EX_DATAERR
    lab.insert_persona("old-jia", 0)
