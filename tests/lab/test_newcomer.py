"""What a newcomer types: the demonstration, and the sandbox with the lines that it prints."""

import json
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from cardsim.rig import program


@pytest.fixture
def short_path() -> Iterator[Path]:
    """An empty directory with a name that leaves room for a socket's."""
    with tempfile.TemporaryDirectory(prefix="cs-") as directory:
        yield Path(directory)


def processes_in(directory: str) -> list[str]:
    """Every process that has the directory on its command line or in its environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                if directory.encode() in (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes():
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
    return found


def first_with(lines: Iterable[str], word: str) -> str:
    """Return the first line that has the word, or an empty one at the end."""
    return next((line for line in lines if word in line), "")


def test_the_demonstration_shows_four_handoffs_and_leaves_nothing_behind(short_path: Path) -> None:
    around = {**os.environ, "TMPDIR": str(short_path)}
    done = subprocess.run(
        [program("cardsim"), "demo"], capture_output=True, text=True, timeout=60, env=around, stdin=subprocess.DEVNULL,
        check=True,
    )  # fmt: skip
    shown = done.stdout
    assert shown.count("right") == 4
    assert "WRONG" not in shown
    for sentence in (
        "请取出原医保卡，插入社会保障卡。",
        "The social security card is activated.",
        "两张卡不属于同一人",
    ):
        assert sentence in shown
    raw = [json.loads(line.split("│ ", 1)[1]) for line in shown.splitlines() if line.startswith("  event │ ")]
    sequences = [int(event["sequence"]) for event in raw]
    assert sequences == list(range(sequences[0], sequences[0] + len(raw)))
    assert {event["specversion"] for event in raw} == {"1.0"}
    assert done.stderr == ""
    assert list(short_path.iterdir()) == []
    assert processes_in(str(short_path)) == []


def test_the_sandbox_prints_lines_that_work_and_ends_at_a_signal(short_path: Path, tmp_path: Path) -> None:
    around = {**os.environ, "TMPDIR": str(short_path)}
    complaints = tmp_path / "stderr"
    with complaints.open("w") as told:
        sandbox = subprocess.Popen(
            [program("cardsim"), "sandbox"], stdout=subprocess.PIPE, stderr=told, text=True, env=around
        )
    assert sandbox.stdout is not None
    try:
        lines: list[str] = []
        while not (lines and lines[-1].startswith("The daemon's log")):
            lines.append(sandbox.stdout.readline())
            assert lines[-1], lines
        exports = dict(re.findall(r"export (\w+)=(\S+)", "".join(lines)))
        typed = [
            line.split("#")[0].split() for line in lines if re.match(r"  \S*card(ctl|sim) (insert|remove|read)", line)
        ]
        answers = [
            subprocess.run(line, capture_output=True, text=True, timeout=20, check=True, env={**around, **exports})
            for line in typed
        ]
        assert any("T" not in answer.stdout and "001X" in answer.stdout for answer in answers)
        watch = [program("cardctl"), "--json", "watch", "--after", "earliest", "--types", "activation.*"]
        with subprocess.Popen(watch, stdout=subprocess.PIPE, text=True, env={**around, **exports}) as watching:
            assert watching.stdout is not None
            first = json.loads(first_with(watching.stdout, "completed"))
            assert "activated" in json.dumps(first)
            pid = Path(exports["CARDD_SOCKET"]).with_name("cardd.pid")
            before = pid.read_text()
            os.kill(int(before), signal.SIGTERM)
            while pid.read_text() == before:
                time.sleep(0.1)
            subprocess.run(typed[0], capture_output=True, timeout=20, check=True, env={**around, **exports})
            assert "waiting_social_card" in first_with(watching.stdout, "waiting_social_card")
            watching.send_signal(signal.SIGINT)
        config = pid.with_name("cardd.yaml")
        right, last = config.read_text(), pid.read_text()
        config.write_text(right + "nonsense: 1\n")
        os.kill(int(last), signal.SIGTERM)
        while "nonsense" not in complaints.read_text():
            time.sleep(0.1)
        config.write_text(right)
        subprocess.run([program("cardsim"), "remove", "0"], timeout=20, check=True, env={**around, **exports})
        status = [program("cardctl"), "status"]
        while subprocess.run(status, check=False, capture_output=True, env={**around, **exports}).returncode:
            time.sleep(0.1)
    finally:
        sandbox.send_signal(signal.SIGINT)
        sandbox.stdout.close()
        assert sandbox.wait(10) == 0
    assert list(short_path.iterdir()) == []
    assert processes_in(str(short_path)) == []
