import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from support.small_disk import on_a_disk_of_its_own

from cardd.base.clock import SystemClock
from cardd.base.secret import Secret
from cardd.crypto.digest import sm3
from cardd.crypto.sealing import Sm4GcmSealer
from cardd.journal.database import Database
from cardd.journal.events import ActivationRow, StoredEvent
from cardd.journal.store import Journal

RECORDER = Path(__file__).with_name("recorder.py")


@dataclass
class Found:
    stream: str
    boot: int
    events: list[StoredEvent]
    activations: dict[str, ActivationRow]


@dataclass
class Said:
    boot: int
    steps: dict[str, int]
    """The last step that each worker heard was durable."""
    sequence: int


def parse(output: str) -> Said:
    lines = [line.split() for line in output.splitlines()]
    said = Said(int(lines[0][1]), {}, int(lines[0][2]))
    for worker, step, sequence in (line for line in lines[1:] if len(line) == 3):
        said.steps[worker] = int(step)
        said.sequence = max(said.sequence, int(sequence))
    return said


def recorded_until_killed(directory: Path, lines: int) -> Said:
    """Let it record until it has said so many lines, then kill it in the middle of its work."""
    process = subprocess.Popen([sys.executable, RECORDER, directory, "300"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    output = "".join(process.stdout.readline() for _ in range(lines))
    os.kill(process.pid, signal.SIGKILL)
    output += process.stdout.read()
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    return parse(output)


def reopened(directory: Path) -> Found:
    async def look() -> Found:
        sealer = Sm4GcmSealer(Secret(b"0123456789abcdef"))
        journal = Journal.open(directory, sealer=sealer, clock=SystemClock(), source="/cardd/crash")
        events = await journal.read(0, 1_000_000)
        activations = {row.id: row for row in await journal.activations(open_only=False)}
        await journal.ask(verify_chain)
        await journal.close()
        return Found(journal.stream, journal.boot, events, activations)

    return asyncio.run(look())


def verify_chain(database: Database) -> None:
    before = sm3(b"cardd journal " + database.stream.encode())
    rows = database._connection.execute("SELECT public, sealed, sealed_digest, digest FROM events ORDER BY sequence")
    for public, sealed, sealed_digest, digest in rows:
        assert sealed_digest == sm3(sealed or b"")
        before = sm3(before + public + sealed_digest)
        assert digest == before


def assert_whole(found: Found) -> None:
    """No gap, no half call, and every activation stands where its last events say."""
    assert [event.sequence for event in found.events] == list(range(1, len(found.events) + 1))
    steps: dict[str, int] = {}
    halves: Counter[tuple[str, int]] = Counter()
    for event in found.events:
        step = msgspec.json.decode(event.data)["step"]
        halves[event.subject, step] += 1
        if event.type == "activation.step":
            assert step == steps.get(event.subject, 0) + 1
            steps[event.subject] = step
    assert set(halves.values()) <= {2}
    assert {name: row.data["step"] for name, row in found.activations.items()} == steps
    assert {name: row.state for name, row in found.activations.items()} == {n: f"state-{s}" for n, s in steps.items()}
    assert all(row.personal == {"name": f"测试甲{row.data['step']}"} for row in found.activations.values())


def test_a_process_killed_while_recording_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    moments = random.Random(2)
    streams = set()
    for opening in range(8):
        said = recorded_until_killed(tmp_path, moments.randint(2, 200))
        found = reopened(tmp_path)
        assert_whole(found)
        assert len(found.events) >= said.sequence
        for worker, step in said.steps.items():
            assert int(str(found.activations[worker].data["step"])) >= step
        # the killed process's opening was counted, and so is ours
        assert (said.boot, found.boot) == (2 * opening + 1, 2 * opening + 2)
        streams.add(found.stream)
    assert len(streams) == 1


def test_a_process_killed_while_opening_leaves_a_journal_that_opens(tmp_path: Path) -> None:
    moments = random.Random(3)
    for _ in range(5):
        process = subprocess.Popen([sys.executable, RECORDER, tmp_path, "10"], stdout=subprocess.DEVNULL)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(moments.uniform(0.1, 0.6))
        process.kill()
        process.wait()
        assert_whole(reopened(tmp_path))


def test_a_log_cut_anywhere_by_a_power_failure_leaves_whole_calls(tmp_path: Path) -> None:
    original = tmp_path / "original"
    recorded_until_killed(original, 100)
    log = (original / "journal.db-wal").read_bytes()
    moments = random.Random(4)
    lengths = set()
    for number in range(12):
        copy = tmp_path / f"copy-{number}"
        shutil.copytree(original, copy)
        (copy / "journal.db-wal").write_bytes(log[: moments.randrange(len(log) // 3, len(log))])
        found = reopened(copy)
        assert_whole(found)
        lengths.add(len(found.events))
    assert len(lengths) > 3


def test_two_daemons_on_one_directory_are_refused_across_processes(tmp_path: Path) -> None:
    first = subprocess.Popen([sys.executable, RECORDER, tmp_path, "10"], stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    first.stdout.readline()
    try:
        second = subprocess.run(
            [sys.executable, RECORDER, tmp_path, "10"], capture_output=True, text=True, check=False, timeout=30
        )
        assert f"BUSY: {tmp_path} is in use by another cardd (process {first.pid})" in second.stderr
    finally:
        first.kill()
        first.stdout.close()
        first.wait()


def test_a_full_disk_refuses_whole_calls_and_space_brings_the_journal_back(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    disk = tmp_path / "disk"
    disk.mkdir()
    script = """
        head -c 300000 /dev/zero > "$DISK/ballast"
        "$2" "$3" "$DISK/state" 3000 "$DISK/ballast" && cp "$DISK"/state/journal.db* "$4"
    """
    result = on_a_disk_of_its_own("1500k", script, str(disk), sys.executable, str(RECORDER), str(kept))
    assert result.returncode == 0, result.stderr
    words = [line.split() for line in result.stdout.splitlines()]
    assert sum(line[1:] == ["JOURNAL_FULL"] for line in words) == 8
    assert words[-1][0] == "again"
    said = parse(result.stdout)
    found = reopened(kept)
    assert len(found.events) == said.sequence
    last = found.events.pop()
    assert last.type == "service.started"
    assert_whole(found)
