"""A whole counter in a process of its own: pcscd, readers, cards and the daemon, so that none slows what is measured.

Prints one JSON line when it is ready, then does what it is told, a line each: `in N S` puts a card into the reader of
that index, which takes S seconds to answer when it gets power; `out N` takes it out; `kill` ends pcscd; `restart`
starts it again; and these two are answered with a line once that is done. It ends with its standard input.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from cardsim.links.echo import EchoCard
from cardsim.links.vpcd import VpcdLink
from cardsim.rig import Rig

_SETTINGS: Final[dict[str, object]] = {
    "stations": [{"name": "hall", "readers": [{"match": {"name": "Cardsim*"}, "role": "counter"}]}],
    "logs": {"level": "warning", "format": "json"},
}


class Counter:
    """The other process, from this side."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        self._process = process
        ready = json.loads(process.stdout.readline())
        self.socket = Path(ready["socket"])
        self.pcscd_socket = str(ready["pcscd_socket"])
        self.state = Path(ready["state"])
        self.readers = tuple(str(name) for name in ready["readers"])
        self.daemon = int(ready["daemon"])
        self.pcscd = int(ready["pcscd"])
        """The process of pcscd, 0 where there is none."""

    def put_in(self, reader: str, *, answers_after_s: float = 0.0) -> None:
        """Have a card put into a reader. pcscd waits for its answer, and so looks at this reader later from then on."""
        self._order("in", self.readers.index(reader), answers_after_s)

    def take_out(self, reader: str) -> None:
        """Have the card taken out of a reader."""
        self._order("out", self.readers.index(reader))

    def kill_pcscd(self) -> None:
        """Kill pcscd; return when it is dead."""
        self._order("kill")
        self._await_done()

    def restart_pcscd(self) -> None:
        """Start pcscd again; return when it sees the cards."""
        self._order("restart")
        self._await_done()

    def _order(self, *words: str | float) -> None:
        assert self._process.stdin is not None
        print(*words, file=self._process.stdin, flush=True)

    def _await_done(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "done\n"


@contextlib.contextmanager
def counter(readers: int, kind: str = "bench.counter") -> Iterator[Counter]:
    """Start a counter with so many readers, an even number; `kind` is the module that does what this one's does."""
    with tempfile.TemporaryDirectory(prefix="cardd-bench-") as directory:
        words = [sys.executable, "-m", kind, directory, str(readers)]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            # leaving closes its standard input, and waits until it has ended
            yield Counter(process)


class _SlowCard(EchoCard):
    """Takes some seconds to answer when it gets power."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def power_on(self) -> bytes:
        time.sleep(self._seconds)
        return super().power_on()


class _Hands:
    """Does what is told."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._links: dict[int, VpcdLink] = {}
        self.orders: dict[str, Callable[..., None]] = {
            "in": self.put_in,
            "out": self.take_out,
            "kill": self.kill_pcscd,
            "restart": self.restart_pcscd,
        }

    def put_in(self, index: str, seconds: str) -> None:
        link = self._links[int(index)] = VpcdLink(_SlowCard(float(seconds)), self._rig.lab.places[int(index)].port)
        link.start()

    def take_out(self, index: str) -> None:
        self._links.pop(int(index)).close()

    def kill_pcscd(self) -> None:
        self._rig.lab.kill_pcscd()
        print("done", flush=True)

    def restart_pcscd(self) -> None:
        self._rig.lab.restart_pcscd()
        print("done", flush=True)

    def close(self) -> None:
        while self._links:
            self._links.popitem()[1].close()


def main(directory: str, readers: str) -> None:
    """Serve until standard input ends."""
    with (
        Rig.start(Path(directory) / "rig", stations=int(readers) // 2, psam=None, settings=_SETTINGS) as rig,
        contextlib.closing(_Hands(rig)) as hands,
    ):
        ready = {
            "socket": str(rig.socket),
            "pcscd_socket": str(rig.lab.pcscd_socket),
            "state": str(rig.directory / "state"),
            "readers": rig.lab.readers,
            "daemon": 0 if rig.daemon is None else rig.daemon.pid,
            "pcscd": rig.lab.pcscd_process or 0,
        }
        print(json.dumps(ready), flush=True)
        for line in sys.stdin:
            verb, *arguments = line.split()
            hands.orders[verb](*arguments)
        if rig.daemon is not None and rig.daemon.poll() is not None:
            # the directory is gone soon, and with it why
            sys.stderr.write(
                f"the daemon ended with {rig.daemon.poll()}:\n{rig.log.read_text(encoding='utf-8')[-4000:]}"
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
