"""Fuzzed lines on the socket of a running daemon: a request with parts gone, replaced or doubled, or any bytes.

A million of them, by four daemons, are written by make test-slow; a part of one daemon's by make test.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from support.siege import Siege

from cardd.base.reasons import Reason

ROOT: Final = Path(__file__).parents[2]
SETTINGS: Final = {
    "logs": {"level": "info", "format": "json"},
    # whatever waits for a person is soon over: nobody answers but by chance
    "activation": {"deadlines": {"person_s": 0.1, "card_s": 0.2}},
}
GROWTH_KIB: Final = 8 * 1024
WARM: Final = 20_000
SOON_S: Final = 100.0


def test_the_daemon_lives_through_any_lines(tmp_path: Path) -> None:
    _live_through(tmp_path, seed=0, lines=10_000)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_the_daemon_lives_through_a_quarter_of_a_million_lines_without_growing(tmp_path: Path, seed: int) -> None:
    _live_through(tmp_path, seed=seed, lines=250_000 - WARM)


def _live_through(directory: Path, *, seed: int, lines: int) -> None:
    """Have lines written, and hold the daemon to: every batch answered, no fault of its own, no growth."""
    with Siege(directory, SETTINGS) as siege:
        siege.insert("social-jia-3.0")
        siege.read()
        # rings, pages and what is imported when it is first asked for
        _write(siege, seed + 100, WARM)
        before = siege.at_rest()
        counts = _write(siege, seed, lines)
        after = siege.at_rest()
        assert counts["lines"] == lines
        assert counts["INVALID"] > lines // 2
        assert len(counts.keys() & set(Reason)) > 20
        assert counts["INTERNAL"] == counts["HSM_NOT_NEEDED"], "INTERNAL was told but by rpc.discover's list of reasons"
        assert after.memory - before.memory < GROWTH_KIB
        assert after.descriptors <= before.descriptors + 2
        # and it does its work
        siege.swap("social-jia-3.0")
        siege.read()


def _write(siege: Siege, seed: int, lines: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "support.line_writer", str(siege.socket), str(seed), str(lines)]
    around = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    done = subprocess.run(command, env=around, capture_output=True, check=True, timeout=SOON_S)
    counts: dict[str, Any] = json.loads(done.stdout)
    return counts
