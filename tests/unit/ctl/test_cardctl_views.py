"""What `cardctl` shows of activations, figures and the contract."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.aside import Aside, counter_aside
from support.counter import NAME

from cardd.ctl.main import main
from cardd.wire.activation import State


@pytest.fixture
def aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aside]:
    with counter_aside(tmp_path) as running:
        monkeypatch.setenv("CARDD_SOCKET", str(running.desk.path))
        yield running


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in capsys.readouterr().out.splitlines() if "[debug" not in line]


def test_activations_are_a_table_and_one_of_them_is_told_whole_with_a_purpose(
    aside: Aside, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["activations"]) == os.EX_OK
    assert "没有激活业务" in lines(capsys)[-1]
    for _ in range(2):
        assert main(["activate", "pharmacy"]) == os.EX_OK
    aside.do(aside.desk.activations.end("act-1", State.COMPLETED))
    capsys.readouterr()
    assert main(["activations"]) == os.EX_OK
    shown = [line.split() for line in lines(capsys)]
    assert shown[1] == ["act-1", "default", "pharmacy", "completed", "activated", "测*甲", "-"]
    assert main(["--json", "activations", "--open"]) == os.EX_OK
    (answer,) = lines(capsys)
    assert [one["activation"] for one in json.loads(answer)["activations"]] == ["act-2"]
    assert main(["activations", "act-1"]) == os.EX_OK
    assert NAME not in "".join(lines(capsys))
    assert main(["activations", "act-1", "--purpose", "visit"]) == os.EX_OK
    assert f"  name: {NAME}" in lines(capsys)
    assert main(["activations", "--purpose", "visit"]) == os.EX_USAGE


def test_the_contract_is_printed_as_it_is_told(aside: Aside, capsys: pytest.CaptureFixture[str]) -> None:
    assert aside.desk.path.exists()
    assert main(["discover"]) == os.EX_OK
    assert json.loads("\n".join(lines(capsys)))["openrpc"].startswith("1.")


def test_figures_that_nobody_keeps_are_not_there(aside: Aside, capsys: pytest.CaptureFixture[str]) -> None:
    assert aside.desk.path.exists()
    assert main(["metrics"]) == os.EX_NOINPUT
    assert "[NOT_FOUND" in capsys.readouterr().err
