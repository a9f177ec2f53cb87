"""An echo card in a process of its own, so that the card's Python does not slow down what is measured.

Prints one JSON line when it is ready; ends with its standard input.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cardsim.lab import Lab
from cardsim.links.echo import EchoCard


@dataclass(frozen=True, slots=True)
class Place:
    """Where the card is."""

    pcscd_socket: str
    reader: str


@contextlib.contextmanager
def laboratory() -> Iterator[Place]:
    """Start a laboratory in another process; this one finds it by PCSCLITE_CSOCK_NAME from then on."""
    with tempfile.TemporaryDirectory(prefix="cardd-bench-") as directory:
        other = subprocess.Popen(
            [sys.executable, "-m", "bench.laboratory", directory], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert other.stdin is not None
        assert other.stdout is not None
        try:
            place = Place(**json.loads(other.stdout.readline()))
            os.environ["PCSCLITE_CSOCK_NAME"] = place.pcscd_socket
            yield place
        finally:
            other.stdin.close()
            other.wait(10)
            other.stdout.close()


def main(directory: str) -> None:
    """Serve until standard input ends."""
    with Lab.start(Path(directory), 1) as lab:
        reader = lab.insert(EchoCard(), 0)
        print(json.dumps({"pcscd_socket": str(lab.pcscd_socket), "reader": reader}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
