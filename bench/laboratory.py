"""Cards in a process of their own, so that their Python does not slow down what is measured.

Prints one JSON line when it is ready; ends with its standard input.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.programs import compile_c
from cardsim.card.make import make_card
from cardsim.links.echo import EchoCard
from cardsim.links.vpcd import VpcdLink
from cardsim.pcscd import PrivatePcscd, VirtualReader
from cardsim.pcsclite import wait_for
from cardsim.persona import load_persona

ECHO = "echo"
C_ECHO = "echo in C"
UNHURRIED = "echo without TCP_QUICKACK"
_LENGTH_BYTES = 2


@dataclass(frozen=True, slots=True)
class Place:
    """Where the cards are: the readers' names, in the order of the cards."""

    pcscd_socket: str
    readers: tuple[str, ...]


@contextlib.contextmanager
def laboratory(*cards: str, core: int | None = None) -> Iterator[Place]:
    """Start a laboratory in another process; this one finds it by PCSCLITE_CSOCK_NAME from then on.

    A card is one of those above, or the name of a persona. The cards stay on a core, if it is given; pcscd is where the
    caller is.
    """
    with tempfile.TemporaryDirectory(prefix="cardd-bench-") as directory:
        other = subprocess.Popen(
            [sys.executable, "-m", "bench.laboratory", directory, "" if core is None else str(core), *cards],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert other.stdin is not None
        assert other.stdout is not None
        try:
            ready = json.loads(other.stdout.readline())
            os.environ["PCSCLITE_CSOCK_NAME"] = ready["pcscd_socket"]
            yield Place(ready["pcscd_socket"], tuple(ready["readers"]))
        finally:
            other.stdin.close()
            other.wait(10)
            other.stdout.close()


@contextlib.contextmanager
def apart() -> Iterator[int]:
    """Keep this thread, and what it starts, on one core; yields another for cards, the same where there is but one.

    A real card has its own processor.
    """
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:1])
    try:
        yield cores[-1]
    finally:
        os.sched_setaffinity(0, cores)


@contextlib.contextmanager
def inserted(card: str, reader: VirtualReader, directory: Path) -> Iterator[None]:
    """Put a card into a reader, and take it out at the end."""
    if card == C_ECHO:
        process = subprocess.Popen([compile_c("echo", directory), str(reader.port)])
        try:
            yield
        finally:
            process.kill()
            process.wait()
        return
    link = _link(card, reader.port)
    link.start()
    try:
        yield
    finally:
        link.close()


class _UnhurriedLink(VpcdLink):
    """Leaves it to the kernel when to acknowledge what the reader has sent."""

    def _answer(self, link: socket.socket) -> None:
        with link.makefile("rb") as told:
            while head := told.read(_LENGTH_BYTES):
                message = told.read(int.from_bytes(head, "big"))
                if len(message) == 1:
                    self._noticed.set()
                    self._control(link, message[0])
                    continue
                answer = self._card.transmit(message)
                link.sendall(len(answer).to_bytes(_LENGTH_BYTES, "big") + answer)


def _link(card: str, port: int) -> VpcdLink:
    if card == UNHURRIED:
        return _UnhurriedLink(EchoCard(), port)
    return VpcdLink(EchoCard() if card == ECHO else make_card(load_persona(card)), port)


def main(directory: str, core: str, *cards: str) -> None:
    """Serve until standard input ends."""
    with contextlib.ExitStack() as stack:
        programs = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        pcscd = PrivatePcscd(Path(directory), len(cards))
        stack.callback(pcscd.close)
        pcscd.start()
        if core:
            # the threads and programs of the cards begin here, and stay
            os.sched_setaffinity(0, {int(core)})
        for card, reader in zip(cards, pcscd.readers, strict=True):
            stack.enter_context(inserted(card, reader, programs))
        wait_for(pcscd.socket, lambda view: sum(reader.present for reader in view) == len(cards), 10)
        readers = [reader.name for reader in pcscd.readers]
        print(json.dumps({"pcscd_socket": str(pcscd.socket), "readers": readers}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
