"""A daemon as a process of its own, without a laboratory: for what goes wrong around it."""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cardd.client.blocking import Client
from cardd.client.errors import UnreachableError
from cardsim.rig import program


@dataclass
class BareDaemon:
    """The process, and where it listens and writes."""

    process: subprocess.Popen[bytes]
    socket: Path
    log: Path

    def client(self) -> Client:
        return Client.connect(self.socket)


@contextlib.contextmanager
def bare_daemon(
    directory: Path, settings: str = "", environment: Mapping[str, str] | None = None
) -> Iterator[BareDaemon]:
    """Run a daemon with the default configuration and some lines more; it has to end in order."""
    config = directory / "cardd.yaml"
    config.write_text(f"socket: {{path: cardd.sock}}\nstate_dir: state\n{settings}", encoding="utf-8")
    log = directory / "cardd.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [program("cardd"), "run", "--config", str(config)],
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    daemon = BareDaemon(process, directory / "cardd.sock", log)
    try:
        for _ in range(750):
            with contextlib.suppress(UnreachableError):
                daemon.client().close()
                break
            assert process.poll() is None, log.read_text(encoding="utf-8")
            time.sleep(0.02)
        else:
            raise AssertionError(log.read_text(encoding="utf-8"))
        yield daemon
    finally:
        process.terminate()
        ended = process.wait(5)
    assert ended == os.EX_OK, log.read_text(encoding="utf-8")
