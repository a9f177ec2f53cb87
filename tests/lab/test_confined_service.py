"""A handoff with the daemon under the restrictions on system calls of its own unit file."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.clerk import Clerk, counter

from cardsim import rig
from cardsim.rig import program

ROOT = Path(__file__).parents[2]
CONFINED = ROOT / "tests/support/confined.py"
UNIT = ROOT / "systemd/cardd.service"

PROBE = """
import os, socket
for attempt in (lambda: socket.socket(socket.AF_NETLINK), lambda: os.chroot("/"), lambda: os.nice(1)):
    try:
        attempt()
        print("done")
    except OSError as error:
        print(error.errno)
"""


@pytest.fixture
def clerk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clerk]:
    inside = tmp_path / "cardd"
    inside.write_text(f'#!/bin/sh\nexec {sys.executable} {CONFINED} {UNIT} {program("cardd")} "$@"\n', encoding="utf-8")
    inside.chmod(0o755)
    monkeypatch.setattr(rig, "program", lambda _: str(inside))
    with counter(tmp_path / "c") as clerk:
        yield clerk


def test_the_restrictions_hold() -> None:
    run = [sys.executable, str(CONFINED), str(UNIT), sys.executable, "-c", PROBE]
    told = subprocess.run(run, capture_output=True, text=True, check=True).stdout.split()
    assert [os.strerror(int(number)) for number in told] == [
        "Address family not supported by protocol",
        "Operation not permitted",
        "Operation not permitted",
    ]


def test_a_daemon_that_may_do_no_more_than_its_unit_allows_completes_a_handoff_reloads_and_ends(clerk: Clerk) -> None:
    daemon = clerk.rig.daemon
    assert daemon is not None
    status = Path(f"/proc/{daemon.pid}/status").read_text(encoding="utf-8")
    assert "Seccomp:\t2\n" in status
    assert "NoNewPrivs:\t1\n" in status
    clerk.insert("old-jia")
    clerk.step("waiting_social_card")
    clerk.remove()
    clerk.insert("social-jia-3.0")
    clerk.wait("activation.completed")
    daemon.send_signal(signal.SIGHUP)
    clerk.remove()
    clerk.wait("card.removed")
    assert clerk.rig.stop_daemon() < 2.5
    log = clerk.rig.log.read_text(encoding="utf-8")
    assert "the configuration was read again" in log
    assert '"level":"error"' not in log
    assert "Traceback" not in log
