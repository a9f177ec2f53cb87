"""Daemons by the hundred: one process has everything imported, and each daemon is a fork of it.

Run as a program it is that process: for each line `CONFIG LOG` on its standard input it forks a daemon and says its
process id. A fork is killed like any other process, and its start takes a tenth of a second.
"""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from cardd.config import load_config
from cardd.process import run

_END_S: Final = 10.0


class Forked:
    """One daemon, as far as a `Popen` is needed of it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._handle = os.pidfd_open(pid)

    def _gone(self, seconds: float) -> bool:
        # one for each call: several threads may wait
        poll = select.poll()
        poll.register(self._handle, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def poll(self) -> int | None:
        """Return 0 if it is gone, None while it lives."""
        return 0 if self._gone(0) else None

    def wait(self, timeout: float = _END_S) -> int:
        """Return when it is gone. Raises TimeoutExpired."""
        if not self._gone(timeout):
            raise subprocess.TimeoutExpired("cardd", timeout)
        return 0

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it is gone."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def close(self) -> None:
        """Forget it."""
        os.close(self._handle)


class Zygote:
    """The process that daemons are forked from."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            env={**environment, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(_END_S)
        self._process.stdout.close()

    def fork(self, config: Path, log: Path) -> Forked:
        """Start a daemon."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{config}\t{log}\n".encode())
        self._process.stdin.flush()
        return Forked(int(self._process.stdout.readline()))


def _be_a_daemon(config: str, log: str) -> None:
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number in (1, 2):
        os.dup2(out, number)
    run(load_config(Path(config)), partial(load_config, Path(config)))


def _main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        config, log = line.rstrip("\n").split("\t")
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _be_a_daemon(config, log)
        os.write(1, f"{pid}\n".encode())


if __name__ == "__main__":
    _main()
