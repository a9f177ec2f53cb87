"""`cardctl journal` at a daemon that runs, on a journal that was filled before."""

import asyncio
import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.bare_daemon import bare_daemon

from cardd.base.clock import SystemClock
from cardd.cli import main as cardd
from cardd.config import load_config
from cardd.crypto.tokens import KeyedTokens
from cardd.ctl.main import main
from cardd.journal.events import NewEvent
from cardd.records import open_records, sealing_key

NAME = "测试甲"
NUMBER = "510101190001010012"
SETTINGS = "backend: in-process\nkeys: {provider: none}\njournal: {reserve_mb: 0}\n"
WHOLE = {"holder": {"name": NAME, "social_security_number": NUMBER}}
MASKED = {"holder": {"name": "测*甲", "social_security_number": "5101************12"}}


async def fill(config: Path) -> str:
    records = open_records(load_config(config), clock=SystemClock(), source="/cardd/test")
    await records.journal.record(NewEvent("activation.completed", "s", MASKED, WHOLE, correlation="a-1"))
    await records.journal.close()
    return KeyedTokens(sealing_key(load_config(config))).holder(NUMBER)


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The person in the journal of the daemon that runs."""
    (tmp_path / "cardd.yaml").write_text(f"state_dir: state\n{SETTINGS}")
    person = asyncio.run(fill(tmp_path / "cardd.yaml"))
    with bare_daemon(tmp_path, SETTINGS) as running:
        monkeypatch.setenv("CARDD_SOCKET", str(running.socket))
        yield person


def test_a_person_is_found_masked_and_with_a_purpose_whole(token: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["journal", "find", "--token", token]) == os.EX_OK
    (line,) = capsys.readouterr().out.splitlines()
    assert "activation.completed" in line
    assert NAME not in line
    assert main(["--json", "journal", "find", "--activation", "a-1", "--purpose", "complaint 7"]) == os.EX_OK
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["event"]["data"]["holder"]["name"] == NAME
    assert json.loads(line)["cursor"]


@pytest.mark.parametrize("option", ["--types", "--type"])
def test_types_are_named_as_for_a_watch(token: str, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert token
    assert main(["journal", "find", option, "activation.*"]) == os.EX_OK
    assert "activation.completed" in capsys.readouterr().out
    assert main(["journal", "find", option, "pin.*"]) == os.EX_OK
    assert capsys.readouterr().out == ""


def test_a_time_that_is_none_is_a_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["journal", "find", "--since", "yesterday"]) == os.EX_USAGE
    assert main(["journal", "export", "--after", "yesterday"]) == os.EX_USAGE
    assert main(["journal", "verify", "--head", "x"]) == os.EX_USAGE
    assert capsys.readouterr().err.count("2026-05-07T08:00:00+08:00") == 2


def test_what_was_exported_verifies_elsewhere_and_is_what_the_daemon_is_held_against(
    token: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert token
    out = str(tmp_path / "out")
    assert main(["journal", "export", "--output", out]) == os.EX_OK
    assert cardd(["journal", "verify", out]) == os.EX_OK
    capsys.readouterr()
    assert main(["--json", "journal", "verify", "--against", out]) == os.EX_OK
    (report,) = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert report["whole"]
    assert report["agreed"]
    assert main(["journal", "verify", "--head", f"{report['stream']}:1:{'0' * 64}"]) == os.EX_DATAERR
    assert main(["journal", "export", "--output", out]) == os.EX_IOERR


def test_an_export_without_a_file_goes_to_standard_output(
    token: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert token
    assert main(["journal", "export", "--until", "1"]) == os.EX_OK
    lines = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert [line["event"]["sequence"] for line in lines if "event" in line] == [1]


def test_a_person_is_erased_only_when_that_is_meant(
    token: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert main(["journal", "erase", token, "--purpose", "wish of the person"]) == os.EX_USAGE
    assert main(["journal", "erase", token, "--purpose", "wish of the person", "--yes"]) == os.EX_OK
    assert "erased from 1 events" in capsys.readouterr().out
    assert main(["journal", "find", "--activation", "a-1", "--purpose", "complaint 7"]) == os.EX_OK
    assert NAME not in capsys.readouterr().out
    assert main(["journal", "verify"]) == os.EX_OK
