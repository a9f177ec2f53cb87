"""A daemon in a process of its own on a pcscd that is there already, and a connection that asks it things."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Self

import msgspec
import yaml

from bench.laboratory import Place
from cardd.wire.methods import READERS_LIST
from cardsim.rig import REGISTER, die_with_parent, literal, program

PATIENCE_S: Final = 15.0
_CHUNK: Final = 1 << 18
_RIGHTS: Final = ("desk", "operator", "raw_apdu")


class Asker:
    """A connection that sends one line and waits for one: the least client there is."""

    def __init__(self, path: Path) -> None:
        self._sock = socket.socket(socket.AF_UNIX)
        self._sock.connect(str(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def send(self, line: bytes) -> bytes:
        """Return the answer to a line."""
        self._sock.sendall(line)
        answer = b""
        while not answer.endswith(b"\n"):
            answer += self._sock.recv(_CHUNK)
        return answer

    def call(self, method: str, **params: object) -> Mapping[str, object]:
        """Return the result of a method, which must have one."""
        answer = msgspec.json.decode(self.send(question(method, **params)), type=dict[str, object])
        result = answer.get("result")
        assert isinstance(result, dict), answer
        return result


def question(method: str, **params: object) -> bytes:
    """Write a request as a line."""
    return msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}) + b"\n"


@contextlib.contextmanager
def daemon(place: Place, directory: Path, counters: Sequence[str], keys: Mapping[str, object]) -> Iterator[Path]:
    """Run the daemon with one station; yields its socket.

    Its readers are called `reader-0` and so on and are the `counters` of a laboratory; it leaves all others alone.
    """
    readers = [
        {"match": {"name": literal(name)}, "role": "counter", "name": f"reader-{number}"}
        for number, name in enumerate(counters)
    ]
    who = pwd.getpwuid(os.getuid()).pw_name
    others = {"match": {"name": "*"}, "role": "ignored"}
    whole = {
        "socket": {"path": "cardd.sock", "rights": [{"user": who, "grant": list(_RIGHTS)}]},
        "state_dir": "state",
        "stations": [{"name": "hall", "readers": [*readers, others]}],
        "authority": {"provider": "local", "register": "register.yaml"},
        "keys": keys,
        "logs": {"level": "warning", "format": "json"},
    }
    config = directory / "cardd.yaml"
    config.write_text(yaml.safe_dump(whole), encoding="utf-8")
    shutil.copy(REGISTER, directory / "register.yaml")
    process = subprocess.Popen(
        [program("cardd"), "run", "--config", str(config)],
        env={**os.environ, "PCSCLITE_CSOCK_NAME": place.pcscd_socket},
        stdout=subprocess.DEVNULL,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - before any other thread
    )
    path = directory / "cardd.sock"
    try:
        _await_readers(path, len(counters))
        yield path
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def _await_readers(path: Path, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), Asker(path) as asker:
            if asker.send(question(READERS_LIST.name)).count(b'"state":"present"') >= count:
                return
        time.sleep(0.02)
    raise TimeoutError("the daemon does not come up")
