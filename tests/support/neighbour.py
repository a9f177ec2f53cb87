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

FINE = "00000000"
SHARING_VIOLATION = "8010000B"
RESET_CARD = "80100068"
INVALID_HANDLE = "80100003"

NO_ACCESS = f"no {SHARING_VIOLATION}"
"""What it is told where somebody else has the card for himself."""

CARD_WAS_RESET = f"no {RESET_CARD}"
"""What it is told where somebody else has reset the card since it connected: it has to connect again."""

_PATIENCE_S = 60.0
"""How long one call of PC/SC may wait for somebody else's transaction."""


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

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

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


class NextDoor(Neighbour):
    """The same, one call of PC/SC an order, whose end is waited for: what comes back is its code, in hexadecimal."""

    def exclusive(self, reader: str) -> str:
        return self._once(f"exclusive {reader}")[0]

    def shared(self, reader: str) -> str:
        return self._once(f"shared {reader}")[0]

    def begin(self) -> str:
        return self._once("begin")[0]

    def end(self) -> str:
        return self._once("end")[0]

    def reset(self) -> str:
        return self._once("reset")[0]

    def let_go(self) -> str:
        return self._once("leave")[0]

    def send(self, command: str) -> tuple[str, str]:
        """Send a command in hexadecimal; return code and answer."""
        return self._once(f"transmit {command}")

    def _once(self, order: str) -> tuple[str, str]:
        before = len(self.answers)
        self.order(f"once {order}")
        assert self.answered(before + 1, _PATIENCE_S), f"no answer to {order}"
        word, _, rest = self.answers[before].partition(" ")
        return (FINE, rest.lower()) if word == "ok" else (rest, "")
