"""The file of a trace: whose it is, what is in it, and that it is never in the way."""

import json
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.readers import ManualClock
from support.waiting import until

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.readers.insertion import Insertion
from cardd.tracing.file import TraceFile

ASK = bytes.fromhex("0084000008")
ANSWER = bytes.fromhex("01020304050607089000")
FRONT = Insertion("7-1", "front", "desk", bytes.fromhex("3B00"))
SAM = Insertion("7-2", "sam", "desk", bytes.fromhex("3B01AA"))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trace.jsonl"


def test_stays_are_told_once_and_their_exchanges_stand_interleaved(path: Path) -> None:
    trace = TraceFile(path, clock=ManualClock())
    for insertion in (FRONT, SAM, FRONT):
        trace.exchanged(insertion, ASK, ANSWER, 0.25)
    trace.exchanged(SAM, ASK, b"", 0.5)
    trace.close()
    told = lines(path)
    now = ManualClock().now().timestamp()
    assert told[0] == {"insertion": "7-1", "reader": "front", "t": now - 0.25, "atr": "3B00"}
    assert told[1] == {"insertion": "7-1", "t": now, "ms": 250, "c": ASK.hex(), "r": ANSWER.hex()}
    assert [(line["insertion"], "atr" in line) for line in told[2:]] == [
        ("7-2", True),
        ("7-2", False),
        ("7-1", False),
        ("7-2", False),
    ]
    assert told[-1]["r"] == ""


def test_a_new_stay_in_the_same_reader_is_told(path: Path) -> None:
    trace = TraceFile(path, clock=ManualClock())
    for insertion in (FRONT, Insertion("7-3", "front", "desk", b"\x3b\x00")):
        trace.exchanged(insertion, ASK, ANSWER, 0)
    trace.close()
    assert [line["insertion"] for line in lines(path) if "atr" in line] == ["7-1", "7-3"]


def test_the_file_is_its_owners_alone_and_appended_to(path: Path) -> None:
    path.write_text('{"lost":1,"t":0}\n')
    path.chmod(0o644)
    TraceFile(path, clock=ManualClock()).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert lines(path) == [{"lost": 1, "t": 0}]


def test_pins_are_masked_unless_secrets_are_wanted(path: Path) -> None:
    for secrets in (False, True):
        trace = TraceFile(path, clock=ManualClock(), secrets=secrets)
        trace.exchanged(FRONT, bytes.fromhex("0020000003123456"), b"\x90\x00", 0)
        trace.close()
    masked, whole = (line for line in lines(path) if "c" in line)
    assert (masked["c"], masked["masked"]) == ("0020000003000000", [5, 3])
    assert whole["c"] == "0020000003123456"
    assert "masked" not in whole


def test_what_is_no_plain_file_of_ours_is_refused(tmp_path: Path) -> None:
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(tmp_path / "elsewhere")
    os.mkfifo(pipe)
    for path in (link, pipe, tmp_path, tmp_path / "no" / "where"):
        with pytest.raises(CarddError) as caught:
            TraceFile(path, clock=ManualClock())
        assert caught.value.reason is Reason.INVALID
        assert str(path) in (caught.value.detail or "")
    assert not (tmp_path / "elsewhere").exists()


@pytest.fixture
def held_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, threading.Event]]:
    """A disk that hangs until it is let go; the first event says that a write came."""
    came, go = threading.Event(), threading.Event()
    write = os.write

    def held(descriptor: int, data: bytes) -> int:
        if threading.current_thread().name == "trace":
            came.set()
            go.wait(10)
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", held)
    yield came, go
    go.set()


def test_a_disk_that_hangs_holds_nobody_up_and_the_file_tells_what_was_lost(
    path: Path, held_disk: tuple[threading.Event, threading.Event]
) -> None:
    came, go = held_disk
    trace = TraceFile(path, clock=ManualClock(), most=10)
    trace.exchanged(FRONT, ASK, ANSWER, 0)
    assert came.wait(5)
    for _ in range(25):
        trace.exchanged(FRONT, ASK, ANSWER, 0)
    go.set()
    until(lambda: any("lost" in line for line in lines(path)), "the loss is told")
    trace.exchanged(FRONT, ASK, ANSWER, 0)
    trace.close()
    told = lines(path)
    assert [line["lost"] for line in told if "lost" in line] == [15]
    assert sum("c" in line for line in told) == 1 + 10 + 1
    # behind the loss the stay is told anew
    after = told[next(index for index, line in enumerate(told) if "lost" in line) + 1 :]
    assert ["atr" in line for line in after] == [True, False]


def test_what_a_full_disk_lost_is_told_when_there_is_room_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full, tried, write = [True], threading.Event(), os.write

    def maybe(descriptor: int, data: bytes) -> int:
        if threading.current_thread().name == "trace" and full[0]:
            tried.set()
            raise OSError(28, "No space left on device")
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", maybe)
    trace = TraceFile(path, clock=ManualClock())
    trace.exchanged(FRONT, ASK, ANSWER, 0)
    assert tried.wait(5)
    full[0] = False
    trace.exchanged(FRONT, ASK, ANSWER, 0)
    trace.close()
    told = lines(path)
    assert sum(line.get("lost", 0) for line in told) == 1
    assert sum("c" in line for line in told) == 1


def test_a_file_that_was_moved_away_is_made_anew_at_a_reload(path: Path) -> None:
    trace = TraceFile(path, clock=ManualClock())
    trace.exchanged(FRONT, ASK, ANSWER, 0)
    until(lambda: len(lines(path)) == 2, "it is written")
    moved = path.rename(path.with_suffix(".1"))
    trace.reopen()
    until(path.exists, "there is a new file")
    trace.exchanged(FRONT, ASK, ANSWER, 0)
    trace.close()
    assert [set(line) & {"atr", "c"} for line in lines(path)] == [{"atr"}, {"c"}]
    assert len(lines(moved)) == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_is_open_when_it_is_closed(path: Path) -> None:
    before = set(Path("/proc/self/fd").iterdir())
    trace = TraceFile(path, clock=ManualClock())
    trace.close()
    trace.exchanged(FRONT, ASK, ANSWER, 0)
    assert set(Path("/proc/self/fd").iterdir()) == before
    assert lines(path) == []
