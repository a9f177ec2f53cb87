"""A whole counter to try things on: a laboratory, a security module, and a daemon that works on it."""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import yaml

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.client.blocking import Client
from cardd.client.errors import UnreachableError
from cardd.wire.methods import READERS_LIST
from cardd.wire.system import NoParams
from cardsim.lab import Lab

REGISTER: Final = Path(__file__).with_name("register.yaml")
"""The invented people whose cards are shipped."""

_READY_S: Final = 15.0
_END_S: Final = 3.0
_PR_SET_PDEATHSIG: Final = 1


class Rig:
    """Stations of two readers each, the second one for the security module, and a daemon that serves them.

    Station n (from 0) has the readers `reader-n` and `sam-n`; only station 0 gets a PSAM, which serves all. Methods
    raise CarddError where something does not come up.
    """

    def __init__(self, directory: Path, lab: Lab, config: Mapping[str, object]) -> None:
        self.directory: Final = directory
        self.lab: Final = lab
        self.socket: Final = directory / "cardd.sock"
        self.config: Final = directory / "cardd.yaml"
        self.log: Final = directory / "cardd.log"
        self.daemon: subprocess.Popen[bytes] | None = None
        self.config.write_text(yaml.safe_dump(dict(config), allow_unicode=True, sort_keys=False), encoding="utf-8")
        if not (directory / "register.yaml").exists():
            shutil.copy(REGISTER, directory / "register.yaml")

    @classmethod
    def start(
        cls,
        directory: Path,
        *,
        stations: int = 1,
        psam: str | None = "psam",
        settings: Mapping[str, object] | None = None,
        register: Path | None = None,
    ) -> Self:
        """Bring everything up; return when the daemon answers and knows its readers.

        `settings` replaces whole top-level keys of the daemon's configuration; `psam` is a persona, None for none.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if register is not None:
            shutil.copy(register, directory / "register.yaml")
        lab = Lab.start(directory / "pcscd", stations * 2)
        try:
            rig = cls(directory, lab, {**default_config(lab.readers), **(settings or {})})
            if psam is not None:
                lab.insert_persona(psam, 1)
            rig.start_daemon()
        except BaseException:
            lab.close()
            raise
        return rig

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs to find this rig."""
        return {
            **os.environ,
            "PCSCLITE_CSOCK_NAME": str(self.lab.pcscd_socket),
            "CARDD_SOCKET": str(self.socket),
            "CARDSIM_DIR": str(self.lab.directory),
        }

    def start_daemon(self, *options: str) -> None:
        """Start the daemon, with further options of `cardd run`, and wait until it answers and knows the readers.

        Raises CarddError with the end of its log if it does not.
        """
        with self.log.open("ab") as log:
            self.daemon = subprocess.Popen(  # noqa: S603 - our own program
                [program("cardd"), "run", "--config", str(self.config), *options],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - the rig starts its programs from its first thread
            )
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline and self.daemon.poll() is None:
            if self._knows_its_readers():
                return
            time.sleep(0.02)
        tail = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
        raise CarddError(Reason.TIMEOUT, f"the daemon does not come up: {' | '.join(tail)}")

    def _knows_its_readers(self) -> bool:
        with contextlib.suppress(UnreachableError), self.client() as client:
            return not self.lab.answers or len(client.call(READERS_LIST, NoParams()).readers) >= len(self.lab.readers)
        return False

    def stop_daemon(self, how: signal.Signals = signal.SIGTERM) -> float:
        """End the daemon and return how many seconds that took."""
        if self.daemon is None:
            return 0.0
        began = time.monotonic()
        self.daemon.send_signal(how)
        try:
            self.daemon.wait(_END_S)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait()
        self.daemon = None
        return time.monotonic() - began

    def client(self) -> Client:
        """Connect to the daemon."""
        return Client.connect(self.socket)

    def register(self) -> list[dict[str, object]]:
        """Return what the local authority's register holds, one dictionary a person."""
        command = [program("cardd"), "register", "show", "--config", str(self.config)]
        shown = subprocess.run(command, capture_output=True, check=True)  # noqa: S603 - our own program
        return [json.loads(line) for line in shown.stdout.splitlines()]

    def close(self) -> None:
        """End everything that runs. The directory's own files stay: they are the caller's."""
        self.stop_daemon()
        self.lab.close()


def default_config(readers: Sequence[str]) -> dict[str, object]:
    """Return a daemon's configuration for the readers of a laboratory, two to a station."""
    pairs = [(readers[index], readers[index + 1]) for index in range(0, len(readers) - 1, 2)]
    return {
        "socket": {"path": "cardd.sock"},
        "state_dir": "state",
        "stations": [
            {
                "name": f"counter-{number}",
                "auto": True,
                "readers": [
                    {"match": {"name": literal(counter)}, "role": "counter", "name": f"reader-{number}"},
                    {"match": {"name": literal(sam)}, "role": "sam", "name": f"sam-{number}"},
                ],
            }
            for number, (counter, sam) in enumerate(pairs)
        ],
        "authority": {"provider": "local", "register": "register.yaml"},
        "logs": {"level": "debug", "format": "json"},
    }


def program(name: str) -> str:
    """Return the path of a command that was installed with this one."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else name


def literal(name: str) -> str:
    """Turn a reader's name into a glob that fits only itself."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)


def die_with_parent() -> None:
    """End a process with the thread that began it: for `preexec_fn`."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
