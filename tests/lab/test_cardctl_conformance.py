"""`cardctl conformance` at a real counter: pcscd, virtual cards, the daemon as a process, a lease on its socket."""

import json
import os
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cardsim.card.chip import Chip
from cardsim.card.image import take_image
from cardsim.card.make import make_chip
from cardsim.persona import PERSONAS, load_persona
from cardsim.rig import Rig, program

ALL_RIGHTS = ["observe", "read_card", "lease", "raw_apdu", "operate"]


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    directory = tmp_path_factory.mktemp("conformance")
    user = pwd.getpwuid(os.geteuid()).pw_name
    socket = {"path": str(directory / "cardd.sock"), "rights": [{"user": user, "grant": ALL_RIGHTS}]}
    with Rig.start(directory, psam=None, settings={"socket": socket}) as rig:
        yield rig


@pytest.fixture
def counter(rig: Rig) -> Iterator[Rig]:
    yield rig
    rig.lab.remove(0)


def insert(rig: Rig, name: str, interface: str = "contact") -> Chip:
    chip = make_chip(load_persona(name))
    rig.lab.insert(chip.on(interface), 0)
    return chip


def remembered(chip: Chip) -> dict[str, Any]:
    """Return what the card remembers, but for how many challenges it gave."""
    return {name: value for name, value in take_image(chip.machine).items() if name != "challenges"}


def cardctl(rig: Rig, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [program("cardctl"), "--socket", str(rig.socket), "conformance", *arguments]
    return subprocess.run(
        command, env=rig.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100, check=False
    )


def outcomes(run: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    return {row["case"]: row["outcome"] for row in map(json.loads, run.stdout.splitlines())}


@pytest.mark.parametrize(
    ("name", "interface"), [("p1-1.0-des", "contact"), ("p2-2.0-des", "contact"), ("p3-3.0-sm4", "contactless")]
)
def test_any_card_passes_what_needs_no_key_and_stays_as_it_was(counter: Rig, name: str, interface: str) -> None:
    chip = insert(counter, name, interface)
    before = remembered(chip)
    run = cardctl(counter, "reader-0", "--json")
    assert run.returncode == os.EX_OK, run.stdout + run.stderr
    told = outcomes(run)
    assert "FAIL" not in told.values()
    assert {"C-PIN-1", "C-ATR-3", "C-FCI-1", "C-DIR-1"} <= {case for case, outcome in told.items() if outcome == "pass"}
    assert told["K-INT"] == "n/a"
    assert remembered(chip) == before


def test_with_the_issuers_file_its_keys_are_proved_and_nothing_is_spent(counter: Rig) -> None:
    chip = insert(counter, "p3-3.0-sm4")
    before = remembered(chip)
    cases = [word for case in ("K-INT", "S-3.0", "S-STATE-EF", "S-STATE-POWER", "K-VER1") for word in ("--case", case)]
    run = cardctl(counter, "reader-0", "--keys", str(PERSONAS / "p3-3.0-sm4.yaml"), "--costly", *cases)
    assert run.returncode == os.EX_OK, run.stdout + run.stderr
    *lines, total = run.stdout.splitlines()
    assert [line.split()[1] for line in lines] == ["pass"] * 5
    assert total == "5 pass, 0 FAIL, 0 n/a"
    assert remembered(chip) == before


def test_another_issuers_file_costs_the_card_nothing_and_fails(counter: Rig, tmp_path: Path) -> None:
    chip = insert(counter, "p3-3.0-sm4")
    file = tmp_path / "keys.yaml"
    file.write_text('card: social-security\nprofile: "3.0"\npin: "123456"\nkeys: {root: "' + "0F" * 16 + '"}\n')
    before = remembered(chip)
    run = cardctl(counter, "reader-0", "--json", "--keys", str(file), "--costly", "--case", "S-3.0")
    assert run.returncode == os.EX_DATAERR
    assert outcomes(run) == {"K-INT": "FAIL", "S-3.0": "n/a"}
    assert remembered(chip) == before


def test_a_wrong_pin_and_a_wrong_key_cost_nothing_without_the_flag(counter: Rig, tmp_path: Path) -> None:
    chip = insert(counter, "p3-3.0-sm4")
    file = tmp_path / "keys.yaml"
    right = (PERSONAS / "p3-3.0-sm4.yaml").read_text()
    file.write_text(
        right.replace('pin: "123456"', 'pin: "654321"').replace("keys:", f"keys:\n  RKSSSE: '{'0F' * 16}'", 1)
    )
    before = remembered(chip)
    run = cardctl(counter, "reader-0", "--json", "--keys", str(file))
    assert run.returncode == os.EX_OK, run.stdout + run.stderr
    told = outcomes(run)
    assert (told["K-INT"], told["S-3.0"], told["S-SCOPE-PIN"]) == ("pass", "n/a", "n/a")
    assert remembered(chip) == before


def test_what_costs_something_is_warned_of_in_both_languages(counter: Rig) -> None:
    insert(counter, "p5-offline")
    file = str(PERSONAS / "p5-offline.yaml")
    run = cardctl(counter, "reader-0", "--keys", file, "--costly", "--case", "T-DAY", "--case", "C-PIN-3")
    assert run.returncode == os.EX_OK, run.stdout + run.stderr
    assert "Put no card to them that somebody needs." in run.stderr
    assert "请勿使用" in run.stderr


def test_a_card_of_another_kind_is_told_so(counter: Rig) -> None:
    counter.lab.insert_persona("psam", 0)
    run = cardctl(counter, "reader-0")
    assert run.returncode == os.EX_DATAERR
    assert "No social security card" in run.stderr


def test_without_the_right_to_send_commands_no_case_is_run(tmp_path: Path) -> None:
    with Rig.start(tmp_path / "own", psam=None) as other:
        insert(other, "p2-2.0-des")
        run = cardctl(other, "reader-0")
        assert run.returncode == os.EX_NOPERM, run.stdout + run.stderr
        assert run.stdout == ""
