"""What systemd does for the service: holds its socket, starts it under that, and hears what it has to say."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from cardd.client.blocking import Client
from cardsim.rig import program

_HAND_OVER = """
import os, sys
if sys.argv[1] != "3":
    os.dup2(int(sys.argv[1]), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[2], sys.argv[2:])
"""

DEFAULTS = "state_dir: state\nkeys: {provider: none}\n"


class ServiceManager:
    """One service: its configuration in a directory, its listening socket, what it told."""

    def __init__(self, directory: Path, settings: str = "") -> None:
        self.config = directory / "cardd.yaml"
        self.write(settings)
        self.path = directory / "cardd.sock"
        self.log = directory / "cardd.log"
        self.told: list[str] = []
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listening.bind(os.fspath(self.path))
        self._listening.listen(1024)
        self.notify_path = directory / "notify"
        self._notes = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notes.bind(os.fspath(self.notify_path))
        self.process: subprocess.Popen[bytes] | None = None

    def write(self, settings: str) -> None:
        """Write the configuration."""
        self.config.write_text(DEFAULTS + settings, encoding="utf-8")

    @property
    def environment(self) -> dict[str, str]:
        """Say where signs go, how often one is wanted, and that there is no pcscd."""
        mine = {"NOTIFY_SOCKET": str(self.notify_path), "WATCHDOG_USEC": "600000", "PCSCLITE_CSOCK_NAME": "/nowhere"}
        return {**os.environ, **mine}

    @property
    def command(self) -> list[str]:
        """Return what runs the daemon."""
        return [program("cardd"), "run", "--config", str(self.config)]

    def start(self, *before: str) -> None:
        """Start the daemon under the socket, by a command before it if one is named, and wait until it is ready."""
        self.told.clear()
        self.launch(*before)
        self.hear("READY=1")

    def launch(self, *before: str) -> None:
        """Start the daemon under the socket."""
        number = str(self._listening.fileno())
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _HAND_OVER, number, *before, *self.command],
                env=self.environment,
                pass_fds=[self._listening.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def hear(self, beginning: str, seconds: float = 10.0) -> str:
        """Return the next message that begins so. Those before it are in `told` as well."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._notes.settimeout(left)
            with contextlib.suppress(TimeoutError):
                message = self._notes.recv(1 << 16).decode()
                self.told.append(message)
                if message.startswith(beginning):
                    return message
        text = self.log.read_text(encoding="utf-8") if self.log.exists() else ""
        raise AssertionError(f"no {beginning} in {self.told}; log: {text}")

    def listen(self, seconds: float) -> list[str]:
        """Return all that is told within a time."""
        before = len(self.told)
        with contextlib.suppress(AssertionError):
            self.hear("what nobody says", seconds)
        return self.told[before:]

    def reload(self) -> None:
        """Send SIGHUP and wait until that has been heeded."""
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)
        self.hear("RELOADING=1")
        self.hear("READY=1")

    def stop(self) -> int:
        """Send SIGTERM and return the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(10)

    def client(self) -> Client:
        """Connect."""
        return Client.connect(self.path)

    def close(self) -> None:
        """End all."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        self._listening.close()
        self._notes.close()


@contextlib.contextmanager
def service_manager(directory: Path, settings: str = "") -> Iterator[ServiceManager]:
    """Have a service manager for a while."""
    manager = ServiceManager(directory, settings)
    try:
        yield manager
    finally:
        manager.close()
