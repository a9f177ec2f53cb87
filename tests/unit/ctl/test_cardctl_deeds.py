"""What `cardctl` does to a card with the issuer's keys, against a counter with a virtual card."""

import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.aside import cards_aside
from support.contents import social

from cardd.ctl.account import Yuan
from cardd.ctl.main import main
from cardd.rules.files import Generation


@pytest.fixture(autouse=True)
def _counter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    files = {"DF04EF05": {"8F": "2", "84": "510100"}}
    with cards_aside(tmp_path, social(tmp_path, Generation.V3, balance=100_000, files=files)) as desk:
        monkeypatch.setenv("CARDD_SOCKET", str(desk.path))
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        yield


def last(capsys: pytest.CaptureFixture[str]) -> str:
    return [line for line in capsys.readouterr().out.splitlines() if "[debug" not in line][-1]


def test_an_application_is_blocked_only_when_that_is_meant(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["block", "DF04"]) == os.EX_USAGE
    assert main(["read", "--files", "DF04EF05|84|$", "--purpose", "test"]) == os.EX_OK
    assert main(["block", "DF04", "front", "--yes"]) == os.EX_OK
    assert last(capsys).startswith("DF04 is blocked")
    assert main(["read", "--files", "DF04EF05|84|$", "--purpose", "test"]) == os.EX_DATAERR
    assert "CARD_BLOCKED" in capsys.readouterr().err


def test_the_same_request_is_the_same_deed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["account", "starting-day", "0701", "--request", "d1"]) == os.EX_OK
    assert last(capsys) == "the payment year begins on 0701"
    assert main(["--json", "account", "starting-day", "0701", "--request", "d1"]) == os.EX_OK
    assert json.loads(last(capsys))["starting_day"] == "0701"
    assert main(["account", "starting-day", "0801", "--request", "d1"]) == os.EX_USAGE


def test_a_deed_that_fails_says_how_to_ask_for_the_same_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["account", "starting-day", "0701", "elsewhere"]) == os.EX_NOINPUT
    assert "--request " in capsys.readouterr().err
    assert main(["account", "starting-day", "0701", "elsewhere", "--request", "d1"]) == os.EX_NOINPUT
    assert "--request" not in capsys.readouterr().err
    assert main(["--json", "account", "starting-day", "0701", "elsewhere"]) == os.EX_NOINPUT
    assert json.loads(capsys.readouterr().err)["error"]["data"]["reason"] == "NOT_FOUND"


def test_files_are_written_from_a_file_and_from_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "wanted.json").write_text('{"DF04EF05": {"84": "510300"}}')
    assert main(["write", str(tmp_path / "wanted.json")]) == os.EX_OK
    assert last(capsys) == "DF04EF05: 84 written"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"DF04EF05": {"84": "510400"}}')))
    assert main(["--json", "write", "-", "front", "--request", "w2"]) == os.EX_OK
    assert json.loads(last(capsys))["written"] == {"DF04EF05": ["84"]}
    assert main(["--json", "read", "--files", "DF04EF05|84|$", "--purpose", "test"]) == os.EX_OK
    assert json.loads(last(capsys))["records"] == {"DF04EF05": {"84": "510400"}}


@pytest.mark.parametrize("text", ["", "[]", '{"DF04EF05": "84"}', "\xff"])
def test_what_is_no_list_of_files_is_not_sent(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    (tmp_path / "wanted.json").write_bytes(text.encode("latin-1"))
    assert main(["write", str(tmp_path / "wanted.json")]) == os.EX_USAGE
    assert "FILE is not as" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "fen"), [("12.50", 1250), ("12.5", 1250), ("0.05", 5), ("7", 700)])
def test_amounts_are_written_as_people_do(text: str, fen: int) -> None:
    assert Yuan().convert(text, None, None) == fen


@pytest.mark.parametrize("text", ["12,50", "-1", "1.234", "", "1e3", "１２"])
def test_what_is_no_amount_moves_nothing(capsys: pytest.CaptureFixture[str], text: str) -> None:
    assert main(["account", "load", "--", text]) == os.EX_USAGE
    assert "12.50" in capsys.readouterr().err
