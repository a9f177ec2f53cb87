"""Another program on the same pcscd, in C: what it does to a card is what any program on the machine may do."""

import contextlib
import os
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

_COMPILE = ("cc", "-std=c11", "-D_DEFAULT_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror", "-I/usr/include/PCSC")
_END_S = 3.0

NO_ACCESS = "no 8010000B"
"""What it is told where somebody else has the card for himself."""


def build(directory: Path) -> Path:
    """Compile it into a directory and return where it is."""
    program = directory / "neighbour"
    source = Path(__file__).with_name("neighbour.c")
    subprocess.run([*_COMPILE, "-o", str(program), str(source), "-lpcsclite"], check=True)
    return program


class Neighbour:
    """One run of it. Orders are given one after the other on a thread of their own, because any of them may wait."""

    def __init__(self, program: Path, pcscd_socket: Path) -> None:
        environment = {**os.environ, "PCSCLITE_CSOCK_NAME": str(pcscd_socket)}
        self._process = subprocess.Popen(
            [str(program)], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.answers: list[str] = []
        self._came = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.die()

    def order(self, *orders: str) -> None:
        """Give orders; they are carried out in turn."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write("".join(f"{order}\n" for order in orders))
            self._process.stdin.flush()

    def answered(self, count: int, seconds: float) -> bool:
        """Wait until so many orders are answered; return whether they are."""
        with self._came:
            return self._came.wait_for(lambda: len(self.answers) >= count, seconds)

    def die(self) -> None:
        """Kill it, whatever it is in the middle of."""
        self._process.kill()
        self._process.wait(_END_S)
        self._reader.join(_END_S)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._came:
                self.answers.append(line.strip())
                self._came.notify_all()
