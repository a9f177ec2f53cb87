"""The contract of this version of the api: what an old client would misunderstand is found, what is added is not."""

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cardd
from cardd.wire.session import API
from tools import api_snapshot

ROOT = Path(cardd.__file__).parents[1]
SNAPSHOT = ROOT / "tests" / "contract" / "snapshots" / f"api-{API}.json"

Shape = dict[str, Any]
Change = Callable[[Shape], object]


@pytest.fixture(scope="module")
def now() -> Shape:
    return api_snapshot.contract()


def method(name: str, part: str) -> Callable[[Shape], Shape]:
    return lambda contract: contract["methods"][name][part]


start, debit, read = (method(f"{name}", "params") for name in ("activation.start", "account.debit", "card.read"))
moved, listed = method("account.debit", "result"), method("readers.list", "result")


def view(contract: Shape) -> Shape:
    reader: Shape = listed(contract)["properties"]["readers"]["items"]
    return reader


def told(contract: Shape) -> Shape:
    removed: Shape = contract["events"]["card.removed"]
    return removed


BREAKS: dict[str, Change] = {
    "card.read is gone": lambda c: c["methods"].pop("card.read"),
    "card.removed is gone": lambda c: c["events"].pop("card.removed"),
    "the reason NO_CARD is gone": lambda c: c["reasons"].remove("NO_CARD"),
    "card.read needs the right observe instead of read_card": lambda c: c["methods"]["card.read"].update(
        right="observe"
    ),
    "card.read params.files is gone": lambda c: read(c)["properties"].pop("files"),
    "card.read params.purpose is required": lambda c: read(c)["required"].append("purpose"),
    "activation.start params.route takes no 'bank' any more": lambda c: start(c)["properties"]["route"]["enum"].remove(
        "bank"
    ),
    "account.debit params.account takes no integer any more": lambda c: debit(c)["properties"]["account"].update(
        type="string"
    ),
    "account.debit params.account is held to maximum 100": lambda c: debit(c)["properties"]["account"].update(
        maximum=100
    ),
    "account.debit params.pool means 1 where it is left out": lambda c: debit(c)["properties"]["pool"].update(
        default=1
    ),
    "card.read params.request is held to maxLength 8": lambda c: read(c)["properties"]["request"]["anyOf"][0].update(
        maxLength=8
    ),
    "account.debit result.outcome is gone": lambda c: moved(c)["properties"].pop("outcome"),
    "account.debit result.outcome may be missing": lambda c: moved(c)["required"].remove("outcome"),
    "account.debit result.sequence may be string": lambda c: moved(c)["properties"]["sequence"].update(type="string"),
    "readers.list result.readers[].reader is gone": lambda c: view(c)["properties"].pop("reader"),
    "readers.list result.readers[].card.kind is never 'psam' any more": lambda c: view(c)["properties"]["card"][
        "anyOf"
    ][0]["properties"]["kind"]["enum"].remove("psam"),
    "card.removed data.cause is never 'lent' any more": lambda c: told(c)["properties"]["cause"]["enum"].remove("lent"),
    "card.removed data.station may be missing": lambda c: told(c)["required"].remove("station"),
}

ADDITIONS: dict[str, Change] = {
    "a method": lambda c: c["methods"].update({"card.fly": c["methods"]["card.read"]}),
    "a type of event": lambda c: c["events"].update({"card.flown": told(c)}),
    "a reason": lambda c: c["reasons"].append("TOO_HIGH"),
    "a reason of a method": lambda c: c["methods"]["card.read"]["reasons"].append("TOO_HIGH"),
    "a parameter that may be left out": lambda c: read(c)["properties"].update(
        height={"type": "integer", "default": 0}
    ),
    "a wider parameter": lambda c: debit(c)["properties"]["account"].update(maximum=2**40),
    "a route": lambda c: start(c)["properties"]["route"]["enum"].append("post"),
    "a member of a result": lambda c: view(c)["properties"].update(colour={"type": "string"}),
    "a code in a result": lambda c: view(c)["properties"]["card"]["anyOf"][0]["properties"]["kind"]["enum"].append(
        "key"
    ),
    "a member of an event": lambda c: told(c)["properties"].update(height={"type": "integer"}),
    "a cause": lambda c: told(c)["properties"]["cause"]["enum"].append("flown"),
}


@pytest.mark.parametrize("fault", BREAKS)
def test_what_an_old_client_would_misunderstand_is_found(now: Shape, fault: str) -> None:
    after = copy.deepcopy(now)
    BREAKS[fault](after)
    assert list(api_snapshot.broken(now, after)) == [fault]


@pytest.mark.parametrize("addition", ADDITIONS)
def test_what_is_only_added_is_nothing_to_misunderstand(now: Shape, addition: str) -> None:
    after = copy.deepcopy(now)
    ADDITIONS[addition](after)
    assert after != now
    assert list(api_snapshot.broken(now, after)) == []


def test_the_contract_is_the_snapshot_of_its_version(now: Shape) -> None:
    """Something was added: `tools/api_snapshot.py --renew`. Something was broken: that needs another version."""
    before = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert list(api_snapshot.broken(before, now)) == []
    assert before == now


def test_a_broken_contract_is_not_renewed(
    now: Shape, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = copy.deepcopy(now)
    before["methods"]["card.fly"] = before["methods"]["card.read"]
    file = tmp_path / f"api-{API}.json"
    file.write_text(json.dumps(before), encoding="utf-8")
    monkeypatch.setattr(api_snapshot, "SNAPSHOTS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["api_snapshot.py", "--renew"])
    assert api_snapshot.main() == 1
    assert "card.fly is gone" in capsys.readouterr().err
    assert json.loads(file.read_text(encoding="utf-8")) == before


def test_an_addition_is_asked_for_and_renewed(now: Shape, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = copy.deepcopy(now)
    del before["methods"]["card.read"]
    file = tmp_path / f"api-{API}.json"
    file.write_text(json.dumps(before), encoding="utf-8")
    monkeypatch.setattr(api_snapshot, "SNAPSHOTS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["api_snapshot.py"])
    assert api_snapshot.main() == 1
    monkeypatch.setattr(sys, "argv", ["api_snapshot.py", "--renew"])
    assert api_snapshot.main() == 0
    assert json.loads(file.read_text(encoding="utf-8")) == now


@pytest.mark.parametrize("tool", [["api_page.py", "--check"], ["api_snapshot.py"]])
def test_docs_and_snapshot_are_current(tool: list[str]) -> None:
    name, *options = tool
    run = [sys.executable, str(ROOT / "tools" / name), *options]
    ended = subprocess.run(run, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
