import json
import os
import socket
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.aside import Aside, counter_aside
from support.counter import reader_view

from cardd.api.rights import Rights
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.client.blocking import Client
from cardd.config import load_config
from cardd.ctl.health import machine, pcsc, roles, settings, texts, trust, way
from cardd.ctl.health.findings import Finding, Level, found
from cardd.ctl.health.patience import within
from cardd.ctl.health.seen import Daemon, Seen
from cardd.ctl.main import main
from cardd.journal.connection import FILE_NAME
from cardd.journal.glance import newest_time
from cardd.wire.cards import CardSummary, Kind, ReaderView
from cardd.wire.events import Event
from cardd.wire.methods import SESSION_HELLO
from cardd.wire.session import HelloParams, HelloResult, Limits

NOW = datetime(2026, 5, 7, 8, tzinfo=UTC)
NOBODY = 65534


@pytest.fixture
def aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aside]:
    with counter_aside(tmp_path) as running:
        monkeypatch.setenv("CARDD_SOCKET", str(running.desk.path))
        yield running


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The readers of a smart-card service that answers."""
    names = ["Virtual PCD 00 00", "Virtual PCD 00 01"]
    monkeypatch.setattr(pcsc, "readers", lambda: tuple(names))
    monkeypatch.setattr(pcsc, "packages", lambda: iter(()))
    return names


def daemon(
    *, readers: list[ReaderView] | None = None, recent: list[Event] | None = None,
    rights: tuple[str, ...] = ("observe",), **status: Any,
) -> Daemon:  # fmt: skip
    hello = HelloResult("cardd", "0", 1, "ab", list(rights), Limits(1, 1, 1))
    return Daemon(hello, status, readers, recent or [])


def view(
    *, role: str = "counter", state: str = "empty", station: str = "default", kind: Kind | None = None
) -> ReaderView:
    card = (
        None if kind is None else CardSummary(insertion="1-1", kind=kind, generation=None, authentic=None, number=None)
    )
    told = reader_view(card)
    told.role, told.state, told.station = role, state, station
    return told


def event(kind: str, time: datetime = NOW, **data: Any) -> Event:
    return Event("1.0", "id", "/cardd/x", f"org.cardd.{kind}.v1", time.isoformat(), "1", "front", data=data)


def codes(findings: Iterator[Finding]) -> list[str]:
    return [finding.code for finding in findings]


def examined(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """Run it and return what it found, by code."""
    main(["--json", "doctor", *arguments])
    lines = (json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith('{"check"'))
    return {line["code"]: line for line in lines}


def configured(directory: Path, **settings: Any) -> str:
    path = directory / "doctored.yaml"
    path.write_text(yaml.safe_dump({"socket": {"path": "cardd.sock"}, "state_dir": "state", **settings}))
    return str(path)


# -- the table


def test_every_finding_has_both_languages_and_what_is_not_in_order_has_a_remedy() -> None:
    for code, row in texts.ROWS.items():
        assert all(row.text), code
        assert all(row.remedy) == (row.level != Level.OK), code
        assert row.text[0].count("{") == row.text[1].count("{"), code


# -- as a command


def test_a_counter_in_order_is_exit_code_0(
    aside: Aside, service: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert aside.desk.path.exists()
    assert service
    assert main(["doctor"]) == os.EX_OK
    out = capsys.readouterr().out
    assert "the smart-card service answers" in out
    assert "智能卡服务正常" in out
    assert "WRONG" not in out


def test_something_wrong_is_exit_code_1_with_the_remedy_in_both_languages(
    aside: Aside, service: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert service
    aside.desk.readers[:] = [view(), view(role="sam")]
    assert main(["doctor"]) == 1
    lines = capsys.readouterr().out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("WRONG  roles"))
    assert "Put the PSAM in" in lines[at + 1]
    assert "请插入 PSAM" in lines[at + 2]


def test_with_the_daemon_down_it_looks_at_the_rest(
    tmp_path: Path, service: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    service[:] = ["Other 00 00"]
    station = {"name": "counter-1", "readers": [{"match": {"name": "Virtual*"}}]}
    findings = examined(capsys, "--config", configured(tmp_path, stations=[station]))
    assert "systemctl start cardd" in findings["daemon_absent"]["remedy"]["en"]
    assert {"config_right", "pcsc_up", "reader_unmatched", "station_without_reader", "sam_none"} <= set(findings)
    assert {"authority_none_yet", "sqlite_right", "state_absent"} <= set(findings)


def test_a_configuration_that_keeps_the_daemon_from_starting_is_told_with_its_line(
    tmp_path: Path, service: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert service
    findings = examined(capsys, "--config", configured(tmp_path, access="both"))
    assert "doctored.yaml:1:9" in findings["config_wrong"]["text"]["en"]


def test_the_daemon_of_a_configuration_that_was_named_is_the_one_that_is_asked(
    tmp_path: Path, service: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert service
    with counter_aside(tmp_path):
        findings = examined(capsys, "--config", configured(tmp_path))
    assert str(tmp_path / "cardd.sock") in findings["daemon_answers"]["text"]["en"]
    assert "disk_right" not in findings
    assert findings["state_absent"]["level"] == "ok"


def test_the_usual_configuration_counts_only_for_its_own_daemon(
    aside: Aside,
    tmp_path: Path,
    service: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert service
    monkeypatch.setattr(settings, "DEFAULT", Path(configured(tmp_path, state_dir="journal")))
    assert {"config_right", "disk_right"} <= set(examined(capsys))
    (tmp_path / "other").mkdir()
    monkeypatch.setattr(settings, "DEFAULT", Path(configured(tmp_path / "other")))
    assert "config_foreign" in examined(capsys)
    assert aside.desk.path.exists()


def test_a_daemon_from_before_an_upgrade_is_told(
    aside: Aside, service: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert service
    assert aside.desk.path.exists()
    assert "daemon_of_other_version" not in examined(capsys)
    monkeypatch.setattr(way, "__version__", "99.0")
    assert "systemctl restart cardd" in examined(capsys)["daemon_of_other_version"]["remedy"]["en"]


def test_a_look_that_fails_keeps_no_other_back(
    aside: Aside, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert aside.desk.path.exists()
    monkeypatch.setattr(pcsc, "packages", None)
    findings = examined(capsys)
    assert findings["look_failed"]["text"]["en"] == "looking at pcsc failed (TypeError)"
    assert {"clock_right", "clock_unsynchronised"} & set(findings)


# -- the way to the daemon


def test_a_socket_where_nobody_listens_any_more_is_told_from_none(tmp_path: Path) -> None:
    path = tmp_path / "cardd.sock"
    assert codes(iter(way.reach(path)[1])) == ["daemon_absent"]
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    assert codes(iter(way.reach(path)[1])) == ["daemon_gone"]


def test_a_daemon_that_does_not_answer_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(way, "PATIENCE_S", 0.05)
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(tmp_path / "cardd.sock"))
        mute.listen()
        assert codes(iter(way.reach(tmp_path / "cardd.sock")[1])) == ["daemon_silent"]


@pytest.mark.parametrize(
    ("mode", "groups", "listed", "code"),
    [(0o660, (), (), "group_missing"), (0o660, (), (0,), "group_not_yet"), (0o600, (), (0,), "group_closed")],
)
def test_a_closed_socket_says_what_to_join_or_to_open(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: int,
    groups: tuple[int, ...],
    listed: tuple[int, ...],
    code: str,
) -> None:
    path = tmp_path / "cardd.sock"
    with socket.socket(socket.AF_UNIX) as there:
        there.bind(str(path))
    path.chmod(mode)
    if os.geteuid() == 0:
        os.chown(path, -1, NOBODY)
    own = path.stat().st_gid
    monkeypatch.setattr(way, "_hindrance", lambda _: 13)
    monkeypatch.setattr(os, "getgroups", lambda: list(groups))
    monkeypatch.setattr(os, "getgrouplist", lambda *_: [own for _ in listed])
    assert codes(iter(way.reach(path)[1])) == [code]


def test_nobody_is_told_to_join_the_group_of_root(monkeypatch: pytest.MonkeyPatch) -> None:
    roots = os.stat_result((stat.S_IFSOCK | 0o660, 0, 0, 1, 0, 0, 0, 0, 0, 0))
    monkeypatch.setattr(way, "_hindrance", lambda _: 13)
    monkeypatch.setattr(way, "_state_of", lambda _: roots)
    monkeypatch.setattr(os, "getgroups", list)
    (finding,) = way.reach(Path("/run/cardd/cardd.sock"))[1]
    assert finding.code == "group_of_root"
    assert "socket.group" in finding.remedy["en"]
    assert "usermod -a -G root" not in finding.remedy["en"]


def test_a_socket_that_cannot_even_be_seen_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(way, "_hindrance", lambda _: 13)
    assert codes(iter(way.reach(tmp_path / "closed" / "deep" / "cardd.sock")[1])) == ["daemon_unusable"]


def test_a_user_without_rights_is_told_where_they_come_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert service
    with counter_aside(tmp_path, rights=Rights.of([])) as running:
        monkeypatch.setenv("CARDD_SOCKET", str(running.desk.path))
        findings = examined(capsys)
    assert "socket.rights" in findings["rights_none"]["remedy"]["en"]
    assert "pcsc_up" in findings


# -- the smart-card service


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CarddError(Reason.PCSC_UNAVAILABLE, "d"), "pcsc_unavailable"),
        (CarddError(Reason.PCSC_UNAVAILABLE, "d").in_words("pcsc_other_version"), "pcsc_other_version"),
        (CarddError(Reason.PCSC_DENIED, "d").in_words("pcsc_socket_closed"), "pcsc_socket_closed"),
        (CarddError(Reason.PCSC_DENIED, "d").in_words("pcsc_cards_denied"), "pcsc_cards_denied"),
        (CarddError(Reason.PCSC_DENIED, "d"), "pcsc_denied"),
        (TimeoutError(), "pcsc_silent"),
    ],
)
def test_each_way_in_which_the_service_is_away_has_its_own_remedy(
    monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    def away() -> tuple[str, ...]:
        raise error

    monkeypatch.setattr(pcsc, "readers", away)
    assert pcsc.by_asking().code == code


def test_the_daemons_word_on_the_service_goes_before_ones_own(service: list[str]) -> None:
    assert service
    told = {"backend": "pcsc", "state": "down", "reason": "PCSC_DENIED", "code": "pcsc_cards_denied", "detail": "d"}
    assert codes(pcsc.look(Seen(daemon(pcsc=told))))[0] == "pcsc_cards_denied"
    assert codes(pcsc.look(Seen(daemon(pcsc={"backend": "socket", "state": "up"})))) == ["pcsc_simulated"]
    gone = {"backend": "socket", "state": "down", "detail": "d"}
    assert codes(pcsc.look(Seen(daemon(pcsc=gone)))) == ["pcsc_simulator_away"]


@pytest.mark.parametrize(
    ("kinds", "code"),
    [
        (["service.started", "card.rejected"], "pcsc_cards_denied"),
        (["card.rejected", "card.removed"], "pcsc_cards_denied"),
        (["card.rejected", "card.identified"], "pcsc_up"),
        (["card.rejected", "service.started"], "pcsc_up"),
        ([], "pcsc_up"),
    ],
)
def test_a_service_that_is_up_and_refuses_cards_is_known_by_the_last_of_them(
    service: list[str], kinds: list[str], code: str
) -> None:
    assert service
    recent = [event(kind, reason="PCSC_DENIED") for kind in kinds]
    assert codes(pcsc.look(Seen(daemon(recent=recent, pcsc={"backend": "pcsc", "state": "up"}))))[0] == code


@pytest.mark.parametrize(("versions", "told"), [("1.9.9 1.9.9 ", []), ("1.9.9 2.3.0 ", ["pcsc_packages_differ"])])
def test_library_and_service_of_different_releases_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, versions: str, told: list[str]
) -> None:
    query = tmp_path / "dpkg-query"
    query.write_text(f"#!/bin/sh\necho '{versions}'\n")
    query.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert codes(pcsc.packages()) == told


def test_polkit_is_looked_through_in_both_of_its_forms(tmp_path: Path) -> None:
    assert codes(pcsc.polkit(tmp_path)) == ["polkit_none"]
    (tmp_path / "usr/lib/polkit-1").mkdir(parents=True)
    (tmp_path / "usr/lib/polkit-1/polkitd").touch()
    assert codes(pcsc.polkit(tmp_path)) == ["polkit_rule_absent"]
    rules = tmp_path / "var/lib/polkit-1/localauthority/10-vendor.d"
    rules.mkdir(parents=True)
    (rules / "cardd.pkla").write_text("Action=org.debian.pcsc-lite.access_pcsc")
    assert codes(pcsc.polkit(tmp_path)) == ["polkit_rule"]


@pytest.fixture
def ordinary() -> Iterator[Path]:
    """A directory whose owner looks at it without the rights of root."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory)
        if os.geteuid() != 0:
            yield path
            return
        os.chown(path, NOBODY, NOBODY)
        os.seteuid(NOBODY)
        try:
            yield path
        finally:
            os.seteuid(0)


@pytest.mark.parametrize("closed", ["etc/polkit-1/rules.d", "var/lib/polkit-1"])
def test_directories_of_polkit_that_only_it_may_look_into_are_named(ordinary: Path, closed: str) -> None:
    (ordinary / "usr/lib/polkit-1").mkdir(parents=True)
    (ordinary / "usr/lib/polkit-1/polkitd").touch()
    place = ordinary / closed
    place.mkdir(parents=True)
    place.chmod(0)
    try:
        findings = list(pcsc.polkit(ordinary))
    finally:
        place.chmod(0o700)
    assert codes(iter(findings)) == ["polkit_unreadable"]
    assert str(place) in findings[0].text["en"]


# -- readers, keys, the authority


@pytest.mark.parametrize(
    ("views", "code"),
    [
        ([], "readers_none"),
        ([view(), view(role="ignored", station="")], "reader_unmatched"),
        ([view(state="unavailable")], "reader_unavailable"),
        ([view(state="in_use")], "reader_in_use"),
        ([view(), view(role="sam")], "sam_empty"),
        ([view(), view(role="sam", kind=Kind.SOCIAL_SECURITY)], "sam_other_card"),
        ([view(role="sam", kind=Kind.PSAM)], "station_without_reader"),
        ([view(), view(role="sam", kind=Kind.PSAM)], "readers_right"),
    ],
)
def test_readers_are_held_against_their_roles(views: list[ReaderView], code: str) -> None:
    assert codes(roles.look(Seen(daemon(readers=views, stations=[{"station": "default"}])))) == [code]


def test_a_psam_needs_a_reader_with_its_role() -> None:
    assert codes(roles.look(Seen(daemon(readers=[view()], keys={"provider": "psam"})))) == ["sam_none"]


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ({"provider": "none"}, "keys_none"),
        ({"provider": "software", "available": True}, "keys_for_tests"),
        ({"provider": "psam", "available": False}, "psam_absent"),
        ({"provider": "remote", "available": False, "host": "h"}, "hsm_away"),
        ({"provider": "remote", "available": None}, "keys_unasked"),
        ({"provider": "psam", "available": True}, "keys_right"),
    ],
)
def test_the_key_service_is_told_as_the_daemon_has_it(keys: dict[str, Any], code: str) -> None:
    assert codes(trust.look(Seen(daemon(keys=keys)))) == [code]


def test_a_stopped_key_is_told_with_the_command_that_lifts_it() -> None:
    (finding,) = trust.look(Seen(daemon(stations=[{"station": "counter-1", "stopped_keys": ["UK1DF04"]}])))
    assert finding.level is Level.WRONG
    assert "cardctl clear counter-1" in finding.remedy["en"]


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"provider": "http", "host": "h", "available": False}, "authority_away"),
        ({"provider": "local", "available": False}, "register_broken"),
        ({"provider": "http", "available": None}, "authority_unasked"),
        ({"provider": "http", "available": True}, "authority_right"),
    ],
)
def test_the_authority_is_told_as_the_daemon_has_it(told: dict[str, Any], code: str) -> None:
    assert codes(trust.look(Seen(daemon(authority=told)))) == [code]


def test_a_register_that_cannot_be_read_is_told(
    tmp_path: Path, service: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert service
    config = configured(tmp_path, authority={"register": "people.yaml"})
    assert examined(capsys, "--config", config)["register_absent"]["level"] == "wrong"
    (tmp_path / "people.yaml").touch()
    assert not {"register_absent", "authority_none_yet"} & set(examined(capsys, "--config", config))


def test_whether_somebody_listens_at_an_address_is_found_out_without_a_daemon() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/cards"
        assert trust.reaches(url)
    assert not trust.reaches(url)


# -- the machine


def test_a_clock_behind_the_journal_is_wrong_and_one_that_nobody_sets_is_noted() -> None:
    ahead = Seen(daemon(recent=[event("card.inserted", NOW + timedelta(seconds=90))]))
    assert codes(machine.clock(ahead, NOW, synchronised=False)) == ["clock_unsynchronised", "clock_behind"]
    assert codes(machine.clock(Seen(daemon(recent=[event("card.inserted")])), NOW, synchronised=True)) == [
        "clock_right"
    ]


@pytest.mark.parametrize(
    ("clock", "told"),
    [
        ({"set_by_s": 86399, "ahead": False}, []),
        ({"set_by_s": 86400, "ahead": False}, ["clock_set"]),
        ({"set_by_s": -3 * 86400, "ahead": False}, ["clock_set"]),
        ({"set_by_s": 0, "ahead": True}, ["clock_ahead"]),
        ({}, []),
    ],
)
def test_a_clock_that_was_set_by_more_than_a_day_is_told(clock: dict[str, object], told: list[str]) -> None:
    findings = [*machine.clock(Seen(daemon(clock=clock)), NOW, synchronised=True)]
    assert [finding.code for finding in findings] == ["clock_right", *told]
    assert clock.get("set_by_s") != -3 * 86400 or "-3.0 days" in findings[1].text["en"]


def test_the_daemons_newest_event_is_what_the_clock_is_held_against(aside: Aside) -> None:
    for _ in range(3):
        aside.do(aside.desk.happen("card.inserted"))
    stored = aside.do(aside.desk.journal.read(0, 10))
    with Client.connect(aside.desk.path) as client:
        hello = client.call(SESSION_HELLO, HelloParams())
        recent = way._recent(client, hello, {"last": 3, "evicted": 0})
    assert Daemon(hello, {}, [], recent).newest == datetime.fromisoformat(stored[-1].time)
    assert [int(one.sequence) for one in recent] == [1, 2, 3]


def test_without_a_daemon_the_clock_is_held_against_what_is_stored(
    tmp_path: Path, service: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert service
    with counter_aside(tmp_path) as running:
        running.do(running.desk.happen("card.inserted"))
        (stored,) = running.do(running.desk.journal.read(0, 10))
    assert newest_time(tmp_path / "journal") == datetime.fromisoformat(stored.time)
    with sqlite3.connect(tmp_path / "journal" / FILE_NAME) as journal:
        journal.execute("UPDATE events SET time = '2100-01-01T00:00:00.000Z'")
    journal.close()
    assert "clock_behind" in examined(capsys, "--config", configured(tmp_path, state_dir="journal"))
    assert newest_time(tmp_path) is None


@pytest.mark.parametrize(
    ("version", "code"), [("3.36.0", "sqlite_old"), ("3.37.0", "sqlite_right"), ("3.100.1", "sqlite_right")]
)
def test_an_sqlite_without_strict_tables_is_too_old(version: str, code: str) -> None:
    assert machine.sqlite(version).code == code
    assert machine.sqlite(sqlite3.sqlite_version).code == "sqlite_right"


def test_a_full_disk_is_told_by_the_daemon() -> None:
    assert codes(machine.disk(Seen(daemon(journal={"space": "tight"})))) == ["disk_full"]
    assert codes(machine.disk(Seen(daemon(journal={"space": "ample"})))) == ["disk_enough"]


@pytest.mark.parametrize(("free_mb", "code"), [(99, "disk_small"), (100, "disk_right")])
def test_little_room_is_told_before_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_mb: int, code: str
) -> None:
    config = load_config(Path(configured(tmp_path, state_dir=".")))
    state = os.statvfs_result((1000, 1000, 0, 0, free_mb * 1000, 0, 0, 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: state)
    assert codes(machine.disk(Seen(None, config))) == [code]


def test_what_never_answers_is_left_behind_and_what_fails_is_raised() -> None:
    with pytest.raises(TimeoutError):
        within(0.01, lambda: __import__("time").sleep(5))
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 / 0)
    assert within(5, lambda: 7) == 7


def test_a_sentence_is_filled_as_it_is_whatever_braces_it_gets() -> None:
    assert "{x}" in found("daemon_unusable", path="{x}", detail="d").text["en"]
