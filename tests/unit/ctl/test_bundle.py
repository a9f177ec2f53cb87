import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
import yaml
from support.aside import counter_aside
from support.counter import NAME, NUMBER

from cardd.ctl.health import pcsc
from cardd.ctl.health.findings import found
from cardd.ctl.main import main
from cardd.ctl.support import collect, redact
from cardd.logs import configure
from cardd.wire.event_data import ActivationCompleted, PersonalDisclosed
from cardd.wire.events import Event


@pytest.fixture(autouse=True)
def _no_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask no pcscd: libpcsclite asks once in a process where it is, and tests of the lab would look there as well."""
    monkeypatch.setattr(pcsc, "readers", tuple)


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def unpacked(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        return {entry.name.split("/")[1]: archive.extractfile(entry).read() for entry in archive}  # type: ignore[union-attr]


def event(kind: str, **data: Any) -> Event:
    return Event("1.0", "id", "/cardd/x", f"org.cardd.{kind}.v1", "2026-01-01T00:00:00Z", "7", "front", data=data)


def test_a_bundle_holds_what_helps_and_is_for_its_owner_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "cardd.log"
    log.write_text(f"ready\n{NUMBER} typed by mistake\n")
    out = tmp_path / "out.tar.gz"
    with counter_aside(tmp_path) as running:
        monkeypatch.setenv("CARDD_SOCKET", str(running.desk.path))
        running.do(running.desk.happen("card.rejected", reason="CARD_MUTE", holder={"name": NAME}, client="zhang"))
        assert main(["--json", "bundle", str(out), "--log", str(log)]) == os.EX_OK
    told = json.loads(next(line for line in capsys.readouterr().out.splitlines() if line.startswith('{"file"')))
    parts = unpacked(out)
    assert set(told["parts"]) == set(parts)
    assert set(told["absent"]) == {"metrics.txt", "config.json"}
    assert out.stat().st_mode & 0o777 == 0o600
    assert json.loads(parts["events.jsonl"])["data"] == {"reason": "CARD_MUTE"}
    assert json.loads(parts["status.json"])["uptime_s"] == 1.5
    assert json.loads(parts["readers.json"])["readers"][0]["state"] == "empty"
    assert json.loads(parts["versions.json"])["modules"]["click"]
    assert b"ready" in parts["log.txt"]
    assert b"daemon_answers" in parts["doctor.jsonl"]
    everything = b"".join(parts.values())
    assert NUMBER.encode() not in everything
    assert NAME.encode() not in everything
    assert b"zhang" not in everything


def test_a_bundle_is_made_without_a_daemon_and_never_over_another_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.tar.gz"
    bundle = ["--socket", str(tmp_path / "nobody"), "bundle", str(out), "--log", str(tmp_path / "none")]
    assert main(bundle) == os.EX_OK
    assert "status.json    - (the daemon does not answer)" in capsys.readouterr().out
    assert b"daemon_absent" in unpacked(out)["doctor.jsonl"]
    assert main(bundle) == os.EX_IOERR


def test_a_part_that_fails_keeps_no_other_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> str:
        raise RuntimeError(NAME)

    monkeypatch.setattr(collect, "_system", fail)
    out = tmp_path / "out.tar.gz"
    assert main(["--socket", str(tmp_path / "nobody"), "bundle", str(out)]) == os.EX_OK
    assert "versions.json  - (failed: RuntimeError)" in capsys.readouterr().out
    assert "doctor.jsonl" in unpacked(out)
    assert NAME.encode() not in unpacked(out)["absent.json"]


def test_the_configuration_goes_along_without_users_and_without_what_an_address_may_hold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cardd.yaml"
    authority = {"provider": "http", "url": "https://zhang:secret@centre.example:8443/cards?token=secret"}
    path.write_text(
        yaml.safe_dump({"socket": {"rights": [{"user": "root", "grant": ["till"]}]}, "authority": authority})
    )
    out = tmp_path / "out.tar.gz"
    assert main(["--socket", str(tmp_path / "x"), "bundle", str(out), "--config", str(path)]) == os.EX_OK
    assert capsys.readouterr().out
    config = json.loads(unpacked(out)["config.json"])
    assert config["authority"]["url"] == "https://centre.example:8443/cards"
    assert config["socket"]["rights"][0] == {"grant": ["till"], "user": redact.REDACTED, "group": None}


def test_a_configuration_that_is_wrong_is_not_quoted(tmp_path: Path) -> None:
    path = tmp_path / "cardd.yaml"
    path.write_text("keys: {provider: 0123456789ABCDEF0123456789ABCDEF}\n")
    with pytest.raises(collect.AbsentError, match="line 1"):
        collect.parts(collect.Sources(str(tmp_path / "x"), path, None))["config.json"]()
    parts = collect.parts(collect.Sources(str(tmp_path / "x"), path, None))
    assert b"config_wrong" in parts["doctor.jsonl"]()
    assert b"0123456789ABCDEF" not in parts["doctor.jsonl"]()


def test_of_an_event_only_words_of_tables_are_told() -> None:
    told = redact.event(event("personal.disclosed", client="zhang", purpose="complaint of 测试甲", method="card.read"))
    assert told["data"] == {"method": "card.read"}
    told = redact.event(event("activation.completed", route="bank", receipt={"name": NAME}, reason={"x": NAME}))
    assert told["data"] == {"route": "bank"}
    people = {"holder", "card", "old_card", "visit", "receipt", "client", "purpose", "operator", "number", "request"}
    members = set(ActivationCompleted.__struct_fields__) | set(PersonalDisclosed.__struct_fields__)
    assert people & members
    assert not people & redact._HARMLESS


def test_findings_about_users_go_along_without_their_names() -> None:
    assert redact.finding(found("group_right", user="zhang")) == {
        "check": "groups",
        "level": "ok",
        "code": "group_right",
    }
    assert "text" in redact.finding(found("readers_none"))


def test_whom_a_reader_was_lent_to_and_the_numbers_of_cards_are_not_told() -> None:
    assert redact.status({"stations": [{"lent": {"front": "zhang"}}]}) == {"stations": [{"lent": redact.REDACTED}]}
    assert redact.readers({"readers": [{"card": {"number": "****0001", "kind": "psam"}}]}) == {
        "readers": [{"card": {"kind": "psam"}}]
    }


@pytest.mark.parametrize("text", [NUMBER, "51010119000101001X", "6228480000000000001"])
def test_long_numbers_are_taken_out_of_a_log(text: str) -> None:
    assert redact.log(f"at {text}, 1-2".encode()) == f"at {redact.REDACTED}, 1-2".encode()


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("who", ["zhang", "zhang/till 3", 'zhang\'s "till" 3'])
def test_users_and_clients_are_taken_out_of_a_log_as_it_is_written(
    capsys: pytest.CaptureFixture[str], form: str, who: str
) -> None:
    configure("debug", form)
    structlog.get_logger().bind(user=who, pid=4711).debug("a client has connected")
    structlog.get_logger().warning("a client reads too slowly", client=who, seconds=10)
    told = redact.log(capsys.readouterr().err.encode()).decode()
    assert "zhang" not in told
    assert "till" not in told
    assert told.count(redact.REDACTED) == 2
    assert "4711" in told
    assert "seconds" in told
    if form == "json":
        assert [json.loads(line).keys() for line in told.splitlines()]


@pytest.mark.parametrize("form", ["json", "text"])
def test_what_a_log_quotes_of_the_configuration_is_taken_out_but_its_place(
    capsys: pytest.CaptureFixture[str], form: str
) -> None:
    problem = 'cardd.yaml:1:44: `socket.rights[0].user`: this machine has no user `zhang`: "create" it'
    configure("info", form)
    structlog.get_logger().error("the configuration was not taken up", problem=problem)
    told = redact.log(capsys.readouterr().err.encode() + f"cardd: {problem}\n".encode()).decode()
    assert "zhang" not in told
    assert told.count("cardd.yaml:1:44: ") == 2
    if form == "json":
        assert json.loads(told.splitlines()[0])["level"] == "error"


def test_a_configuration_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    parts = collect.parts(collect.Sources(str(tmp_path / "x"), tmp_path / "none.yaml", None))
    with pytest.raises(collect.AbsentError, match="No such file"):
        parts["config.json"]()
