"""The helper that is shipped: it asks in a window where there is one, else at the terminal, and prints the digits."""

import os
import pty
import select
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

HELPER = Path(__file__).parents[2] / "examples" / "pin-helper.sh"


def window(directory: Path, name: str, script: str) -> Mapping[str, str]:
    """Put a program into a directory of its own, and say that there is a screen."""
    program = directory / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {"PATH": str(directory), "DISPLAY": ":0"}


@pytest.mark.parametrize("name", ["zenity", "kdialog"])
def test_a_window_asks_and_takes_the_helpers_place(name: str, tmp_path: Path) -> None:
    around = window(tmp_path, name, 'printf "%s\\n" "$@" > "${0%/*}/told"; echo $$ >> "${0%/*}/told"; echo 246813')
    with subprocess.Popen(["/bin/sh", HELPER, "social_pin", "4", "16", "5"], env=around, stdout=-1) as run:
        out, _ = run.communicate(timeout=10)
    assert (run.returncode, out) == (0, b"246813\n")
    told = (tmp_path / "told").read_text(encoding="utf-8")
    assert "请输入社会保障卡密码（4-16位数字），还可尝试5次" in told
    assert told.splitlines()[-1] == str(run.pid), "ending the helper ends its window"


@pytest.mark.parametrize("name", ["zenity", "kdialog"])
def test_a_window_that_is_closed_is_a_holder_who_cancels(name: str, tmp_path: Path) -> None:
    around = window(tmp_path, name, "exit 1")
    done = subprocess.run(["/bin/sh", HELPER, "new_pin", "4", "16", ""], env=around, stdout=-1, check=False)
    assert (done.returncode, done.stdout) == (1, b"")


@pytest.mark.parametrize("purpose", ["", "unknown"])
def test_a_purpose_that_it_does_not_know_asks_nobody(purpose: str, tmp_path: Path) -> None:
    around = window(tmp_path, "zenity", "echo 1234")
    assert subprocess.run(["/bin/sh", HELPER, purpose, "4", "16", ""], env=around, check=False).returncode == 2


def at_terminal(typed: bytes) -> tuple[int, bytes, str]:
    """Run it with a terminal and no screen, and type when it asks; return its end, its output, and what was shown."""
    out_of, into = os.pipe()
    process, terminal = pty.fork()
    if process == 0:
        os.dup2(into, 1)
        os.execve("/bin/sh", ["sh", str(HELPER), "social_pin", "4", "16", "3"], {"PATH": os.environ["PATH"]})  # noqa: S606
    os.close(into)
    shown = b""
    deadline = time.monotonic() + 10
    while "次: ".encode() not in shown and time.monotonic() < deadline and select.select([terminal], [], [], 10)[0]:
        shown += os.read(terminal, 1000)
    os.write(terminal, typed)
    with os.fdopen(out_of, "rb") as output:
        printed = output.read()
    _, status = os.waitpid(process, 0)
    while select.select([terminal], [], [], 0)[0]:
        try:
            shown += os.read(terminal, 1000)
        except OSError:
            break
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), printed, shown.decode()


def test_without_a_screen_the_terminal_asks_and_shows_no_digit() -> None:
    code, printed, shown = at_terminal(b"246813\n")
    assert (code, printed) == (0, b"246813\n")
    assert "246813" not in shown


@pytest.mark.parametrize("typed", [b"\n", b"\x03"])
def test_nothing_typed_and_an_interrupt_cancel(typed: bytes) -> None:
    code, printed, _ = at_terminal(typed)
    assert (code, printed) == (1, b"")


def test_where_there_is_neither_screen_nor_terminal_it_says_that_it_cannot_ask() -> None:
    command = ["setsid", "--wait", "/bin/sh", str(HELPER), "social_pin", "4", "16", ""]
    done = subprocess.run(command, env={"PATH": os.environ["PATH"]}, stdin=-3, stdout=-1, check=False, timeout=10)
    assert (done.returncode, done.stdout) == (2, b"")
