"""`cardd journal` on a directory without a daemon, and beside a running one."""

import asyncio
import json
import os
import sqlite3
from pathlib import Path

import msgspec
import pytest
from support.bare_daemon import bare_daemon

from cardd.base.clock import SystemClock
from cardd.cli import main
from cardd.config import load_config
from cardd.crypto.signing import signer
from cardd.journal import chain
from cardd.journal.events import NewEvent
from cardd.journal.heads import Notary
from cardd.records import open_records, signing_key
from cardd.wire.system import NoParams


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "cardd.yaml"
    path.write_text("socket: {path: cardd.sock}\nstate_dir: state\njournal: {reserve_mb: 0}\n")
    record(path, 5)
    return path


def record(config: Path, count: int) -> None:
    async def write() -> None:
        records = open_records(load_config(config), clock=SystemClock(), source="/cardd/test")
        for number in range(count):
            await records.journal.record(NewEvent("a.b", "s", {"n": number}, {"name": "测试甲"}))
        await records.journal.close()

    asyncio.run(write())


def verified(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, object]]:
    code = main(["journal", "verify", "--json", *map(str, arguments)])
    return code, json.loads(capsys.readouterr().out)


def test_a_stopped_daemons_journal_is_verified_and_exported_where_it_lies(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, report = verified(capsys, "--config", config)
    assert (code, report["whole"], report["events"], report["signed"]) == (os.EX_OK, True, 5, 5)
    assert main(["journal", "export", "--config", str(config), "--output", str(tmp_path / "out")]) == os.EX_OK
    code, exported = verified(capsys, tmp_path / "out")
    assert (code, exported["head"], exported["keys"]) == (os.EX_OK, report["head"], report["keys"])
    assert "测试甲" not in (tmp_path / "out").read_text()


def test_looking_changes_nothing_in_the_journal(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = verified(capsys, "--config", config)
    assert verified(capsys, "--config", config) == before
    with bare_daemon(config.parent, "journal: {reserve_mb: 0}\n") as daemon, daemon.client() as client:
        assert json.loads(client.call_raw("system.status", NoParams()))["journal"]["boot"] == 2


def test_a_running_daemon_is_asked(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["journal", "export", "--config", str(config), "--output", str(tmp_path / "earlier")])
    with bare_daemon(config.parent, "journal: {reserve_mb: 0}\n"):
        code, report = verified(capsys, "--config", config, "--against", tmp_path / "earlier")
        assert (code, report["whole"]) == (os.EX_OK, True)
        assert report["agreed"]
        main(["journal", "export", "--config", str(config), "--output", str(tmp_path / "later")])
        for name in ("--types", "--type"):
            assert main(["journal", "find", "--config", str(config), name, "service.*"]) == os.EX_OK
            assert '"type":"org.cardd.service.started.v1"' in capsys.readouterr().out
    code, report = verified(capsys, tmp_path / "later", "--against", tmp_path / "earlier")
    assert (code, report["whole"]) == (os.EX_OK, True)


def test_an_altered_export_and_a_journal_that_was_cut_exit_with_65(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["journal", "export", "--config", str(config), "--output", str(tmp_path / "out")]) == os.EX_OK
    text = (tmp_path / "out").read_bytes()
    (tmp_path / "bad").write_bytes(text.replace(b'"n":3', b'"n":4'))
    code, report = verified(capsys, tmp_path / "bad")
    assert (code, report["whole"]) == (os.EX_DATAERR, False)
    assert main(["journal", "verify", str(tmp_path / "bad")]) == os.EX_DATAERR
    assert "ALTERED" in capsys.readouterr().out
    other = tmp_path / "state" / "journal.db"
    other.unlink()
    record(config, 2)
    code, report = verified(capsys, "--config", config, "--against", tmp_path / "out")
    assert (code, report["whole"]) == (os.EX_DATAERR, False)


def forge(config: Path, cut: int, old: bytes, new: bytes) -> None:
    """Change the file as its owner can: events altered or cut off, all later digests and signatures made anew."""
    settings = load_config(config)
    notary = Notary(signer(settings.journal.signing, signing_key(settings)), SystemClock())
    with sqlite3.connect(Path(settings.state_dir) / "journal.db") as journal:
        (stream,) = journal.execute("SELECT stream FROM identity").fetchone()
        signed = {sequence for (sequence,) in journal.execute("SELECT sequence FROM heads")} | {cut}
        before = chain.genesis(stream)
        rows = journal.execute("SELECT sequence, public, sealed_digest FROM events").fetchall()
        for sequence, written, sealed in rows:
            public = written.replace(old, new)
            before = chain.link(before, public, sealed)
            journal.execute("UPDATE events SET public = ?, digest = ? WHERE sequence = ?", (public, before, sequence))
            head = msgspec.json.encode(notary.sign(stream, sequence, before))
            if sequence in signed:
                journal.execute("INSERT OR REPLACE INTO heads VALUES (?, ?)", (sequence, head))
        journal.execute("DELETE FROM events WHERE sequence > ?", (cut,))
        journal.execute("DELETE FROM heads WHERE sequence > ?", (cut,))
    journal.close()


@pytest.mark.parametrize(
    ("cut", "old", "new", "problem"),
    [
        (5, b'"n":1', b'"n":1', None),
        (5, b'"n":1', b'"n":7', "head"),
        (5, b'"n":4', b'"n":7', "head"),
        (4, b"", b"", "cut"),
        (3, b"", b"", "cut"),
    ],
)
def test_a_row_rewritten_with_all_later_hashes_and_a_tail_cut_off_are_found_by_an_earlier_export(
    config: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    cut: int,
    old: bytes,
    new: bytes,
    problem: str | None,
) -> None:
    assert main(["journal", "export", "--config", str(config), "--output", str(tmp_path / "out")]) == os.EX_OK
    forge(config, cut, old, new)
    # by itself it is whole, with the machine's own signature
    code, report = verified(capsys, "--config", config)
    assert (code, report["whole"], report["events"], report["signed"]) == (os.EX_OK, True, cut, cut)
    code, report = verified(capsys, "--config", config, "--against", tmp_path / "out")
    found = report["problem"]
    assert (None if not isinstance(found, dict) else found["code"]) == problem
    assert code == (os.EX_OK if problem is None else os.EX_DATAERR)


def events(export: Path) -> dict[int, str]:
    """Return the times of an export's events, by sequence."""
    lines = map(json.loads, export.read_bytes().splitlines())
    return {line["event"]["sequence"]: line["event"]["time"] for line in lines if "event" in line}


def ranged(config: Path, name: str, *limits: str) -> list[int]:
    out = config.parent / name
    assert main(["journal", "export", "--config", str(config), "--output", str(out), *limits]) == os.EX_OK
    assert main(["journal", "verify", str(out)]) == os.EX_OK
    return list(events(out))


def check_ranges(config: Path, prefix: str) -> None:
    everything = ranged(config, f"{prefix}all")
    third = events(config.parent / f"{prefix}all")[3]
    assert ranged(config, f"{prefix}1", "--after", "1", "--until", "4") == [2, 3, 4]
    assert ranged(config, f"{prefix}2", "--after", third, "--until", "4") == [3, 4]
    assert ranged(config, f"{prefix}3", "--until", third) == [1, 2]
    stream = json.loads((config.parent / f"{prefix}all").read_bytes().splitlines()[0])["journal"]["stream"]
    assert ranged(config, f"{prefix}4", "--after", f"{stream}.2", "--until", f"{stream}.3") == [3]
    assert ranged(config, f"{prefix}5", "--after", "2000-01-01T00:00:00+08:00") == everything
    assert ranged(config, f"{prefix}6", "--until", "2999-01-01T00:00:00+08:00") == everything
    assert ranged(config, f"{prefix}7", "--after", "3", "--until", "3") == []


def test_an_export_is_limited_by_sequence_by_time_and_by_cursor_and_verifies_by_itself(config: Path) -> None:
    check_ranges(config, "stopped-")
    with bare_daemon(config.parent, "journal: {reserve_mb: 0}\n"):
        check_ranges(config, "running-")


@pytest.mark.parametrize(
    ("limits", "code", "said"),
    [
        (["--after", "4", "--until", "2"], os.EX_CONFIG, "before it begins"),
        (["--after", "99"], os.EX_DATAERR, "has not come that far"),
        (["--until", "99"], os.EX_DATAERR, "has not come that far"),
        (["--after", "abc.2"], os.EX_DATAERR, "another stream"),
        (["--after", "yesterday"], os.EX_CONFIG, "give a sequence"),
        (["--after", "2026-05-07T08:00:00"], os.EX_CONFIG, "give a sequence"),
        (["--until", "-1"], os.EX_CONFIG, "give a sequence"),
        (["--after", "2999-01-01T00:00:00+08:00", "--until", "2"], os.EX_CONFIG, "before it begins"),
    ],
)
def test_a_limit_that_is_none_is_refused_in_words_and_leaves_no_file(
    config: Path, capsys: pytest.CaptureFixture[str], limits: list[str], code: int, said: str
) -> None:
    out = config.parent / "out"
    limits = [f"{limits[0]}={limits[1]}", *limits[2:]]
    words = ["journal", "export", "--config", str(config), "--output", str(out), *limits]
    assert main(words) == code
    assert said in capsys.readouterr().err
    with bare_daemon(config.parent, "journal: {reserve_mb: 0}\n"):
        assert main(words) == code
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["verify", "no such file"], os.EX_CONFIG),
        (["verify", "cardd.yaml", "--head", "7"], os.EX_CONFIG),
        (["verify", "cardd.yaml", "--against", "cardd.yaml"], os.EX_CONFIG),
        (["find", "--config", "cardd.yaml"], os.EX_UNAVAILABLE),
        (["find", "--config", "cardd.yaml", "--since", "yesterday"], os.EX_CONFIG),
        (["export", "--config", "cardd.yaml", "--output", "cardd.yaml"], os.EX_CONFIG),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_an_exit_code(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int
) -> None:
    monkeypatch.chdir(config.parent)
    assert main(["journal", *arguments]) == code
    assert capsys.readouterr().err.count("\n") == 1
    assert config.read_text().startswith("socket:")
