"""`cardctl pin` and `cardctl read --pin` against a counter with a virtual card."""

import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.aside import cards_aside
from support.contents import social

from cardd.ctl import pins
from cardd.ctl.main import main
from cardd.rules.files import Generation

RECORD = "0001^1^510100000001^20240101101010^3.00^0.00^0.00^"


@pytest.fixture(autouse=True)
def _counter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    files = {"DF04EF08": [RECORD], "DF04EF05": {"84": "510100"}}
    with cards_aside(tmp_path, social(tmp_path, Generation.V3, files=files)) as desk:
        monkeypatch.setenv("CARDD_SOCKET", str(desk.path))
        yield


def typing(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))


def last(capsys: pytest.CaptureFixture[str]) -> str:
    return [line for line in capsys.readouterr().out.splitlines() if "[debug" not in line][-1]


def test_a_password_from_standard_input_is_compared(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typing(monkeypatch, "123456")
    assert main(["pin", "verify"]) == os.EX_OK
    assert last(capsys) == "verified"


def test_a_wrong_password_is_told_with_what_is_left_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typing(monkeypatch, "97531864")
    assert main(["pin", "verify", "front"]) == os.EX_TEMPFAIL
    captured = capsys.readouterr()
    assert "[PIN_WRONG" in captured.err
    assert "97531864" not in captured.err + captured.out
    assert main(["pin", "query"]) == os.EX_OK
    assert last(capsys).startswith("5 tries left")


def test_a_password_is_changed_from_two_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typing(monkeypatch, "123456", "8642")
    assert main(["pin", "change"]) == os.EX_OK
    typing(monkeypatch, "8642")
    assert main(["--json", "pin", "verify"]) == os.EX_OK
    assert json.loads(last(capsys))["done"] == "verified"


def test_a_password_that_is_too_short_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typing(monkeypatch, "123", "123456")
    assert main(["pin", "verify"]) == os.EX_OK
    assert "[PIN_LENGTH" in capsys.readouterr().err


def test_a_new_password_is_typed_twice_at_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", type("Terminal", (), {"isatty": lambda _: True})())
    answers = iter(["8642", "8643", "8642", "8642"])
    monkeypatch.setattr(pins.read_pin, "__defaults__", (lambda _: next(answers),))
    assert main(["pin", "reload"]) == os.EX_OK
    assert last(capsys) == "reloaded"
    assert next(answers, None) is None


@pytest.mark.parametrize("line", ["", "12x456"])
def test_what_is_no_password_cancels_the_call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    typing(monkeypatch, line)
    assert main(["pin", "verify"]) == os.EX_USAGE
    assert main(["pin", "query"]) == os.EX_OK
    assert last(capsys).startswith("6 tries left")


def test_unblocking_asks_for_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pin", "unblock"]) == os.EX_OK
    assert last(capsys) == "unblocked, 6 tries left"


def test_files_are_read_without_and_with_the_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--json", "read", "--files", "DF04EF05|84|$", "--purpose", "test"]) == os.EX_OK
    assert json.loads(last(capsys))["records"] == {"DF04EF05": {"84": "510100"}}
    assert main(["read", "--files", "DF04EF08|$", "--purpose", "test"]) == os.EX_DATAERR
    typing(monkeypatch, "123456")
    assert main(["--json", "read", "--files", "DF04EF08|$", "--purpose", "test", "--pin"]) == os.EX_OK
    assert json.loads(last(capsys))["records"] == {"DF04EF08": {"1": RECORD}}
