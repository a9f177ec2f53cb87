"""Who else uses the smart-card service, read from a made-up /proc."""

import os
from pathlib import Path

import pytest

from cardd.pcsc.neighbours import Neighbours

WITH = "7f0 r-xp 00000000 08:01 12 /usr/lib/x86_64-linux-gnu/libpcsclite.so.1.0.0\n"
WITHOUT = "7f0 r-xp 00000000 08:01 12 /usr/lib/x86_64-linux-gnu/libc.so.6\n"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "uptime").write_text("1 1\n")
    return tmp_path


def run(proc: Path, process: int, name: str, maps: str, environment: bytes = b"HOME=/\0") -> None:
    (proc / str(process)).mkdir()
    (proc / str(process) / "comm").write_text(f"{name}\n")
    (proc / str(process) / "maps").write_text(maps)
    (proc / str(process) / "environ").write_bytes(environment)


def test_programs_that_have_the_library_are_named(proc: Path) -> None:
    run(proc, 900, "till", WITHOUT)
    run(proc, 1200, "scdaemon", WITHOUT + WITH)
    run(proc, 800, "browser", WITH)
    assert Neighbours(proc).names() == ("browser (800)", "scdaemon (1200)")


def test_programs_at_another_service_are_not_named(proc: Path) -> None:
    run(proc, 10, "lab", WITH, b"A=b=c\0PCSCLITE_CSOCK_NAME=/run/lab/pcscd.comm\0")
    run(proc, 11, "till", WITH, b"PCSCLITE_CSOCK_NAME=\0")
    run(proc, 12, "desk", WITH, b"PCSCLITE_CSOCK_NAME=/var/../run/pcscd/pcscd.comm\0")
    assert Neighbours(proc, socket="/run/pcscd/pcscd.comm").names() == ("till (11)", "desk (12)")
    assert Neighbours(proc, socket="/run/lab/pcscd.comm").names() == ("lab (10)",)


def test_the_service_is_the_one_that_this_process_was_told_to_use(proc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(proc, 10, "lab", WITH, b"PCSCLITE_CSOCK_NAME=/run/lab/pcscd.comm\0")
    run(proc, 11, "till", WITH)
    monkeypatch.delenv("PCSCLITE_CSOCK_NAME", raising=False)
    assert Neighbours(proc).names() == ("till (11)",)
    monkeypatch.setenv("PCSCLITE_CSOCK_NAME", "/run/lab/pcscd.comm")
    assert Neighbours(proc).names() == ("lab (10)",)


def test_this_program_itself_is_no_neighbour(proc: Path) -> None:
    run(proc, os.getpid(), "cardd", WITH)
    assert Neighbours(proc).names() == ()


def test_a_program_that_may_not_be_looked_at_is_not_named(proc: Path) -> None:
    # as unreadable as another user's, also for root
    (proc / "77" / "maps").mkdir(parents=True)
    run(proc, 78, "scdaemon", WITH)
    assert Neighbours(proc).names() == ("scdaemon (78)",)


def test_the_processes_are_not_read_at_each_of_many_tries(proc: Path) -> None:
    now = [100.0]
    neighbours = Neighbours(proc, lambda: now[0])
    assert neighbours.names() == ()
    run(proc, 78, "scdaemon", WITH)
    now[0] += 4.9
    assert neighbours.names() == ()
    now[0] += 0.2
    assert neighbours.names() == ("scdaemon (78)",)
