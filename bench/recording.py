"""What card work asks of its readers, written down so that the C program can do the same: `read.c` tells the format.

A value that a card answered and that comes back in a later command becomes a reference to that answer; so the C program
sends the challenge that it was given, and the authentication data that the module computed for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cardd.crypto.authentication import fold
from cardd.iso7816.device import Backend, Connection, Observer, Transport, Watch

_HEADER: Final = 5
_BLOCK: Final = 8
_CRYPTOGRAM: Final = 16


@dataclass(frozen=True, slots=True)
class Exchange:
    """One command and its answer, status word included."""

    slot: str
    command: bytes = field(repr=False)
    answer: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Deed:
    """Anything else: connect, begin, end, disconnect."""

    verb: str
    slot: str


Step = Exchange | Deed


class RecordingBackend:
    """A backend that writes down what is done with its cards."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.steps: list[Step] = []

    def watch(self, observer: Observer) -> Watch:
        """Watch as the backend does."""
        return self._backend.watch(observer)

    def connect(self, slot: str, *, exclusive: bool) -> "RecordingConnection":
        """Open a card."""
        self.steps.append(Deed("connect", slot))
        return RecordingConnection(self._backend.connect(slot, exclusive=exclusive), slot, self.steps)


class RecordingConnection:
    """An open card whose use is written down."""

    def __init__(self, connection: Connection, slot: str, steps: list[Step]) -> None:
        self._connection = connection
        self._slot = slot
        self._steps = steps

    @property
    def atr(self) -> bytes:
        """The answer to reset."""
        return self._connection.atr

    @property
    def transport(self) -> Transport:
        """The protocol."""
        return self._connection.transport

    def transmit(self, command: bytes) -> bytes:
        """Send a command."""
        answer = self._connection.transmit(command)
        self._steps.append(Exchange(self._slot, command, answer))
        return answer

    def control(self, code: int, data: bytes) -> bytes:
        """Send a command to the reader."""
        return self._connection.control(code, data)

    def begin(self) -> None:
        """Begin a transaction."""
        self._steps.append(Deed("begin", self._slot))
        self._connection.begin()

    def end(self, *, reset: bool = False) -> None:
        """End it."""
        self._steps.append(Deed("end", self._slot))
        self._connection.end(reset=reset)

    def disconnect(self, *, reset: bool) -> None:
        """Let go of the card."""
        self._steps.append(Deed("disconnect", self._slot))
        self._connection.disconnect(reset=reset)


def script(steps: Sequence[Step], card: str, sam: str) -> str:
    """Write steps for the C program; `card` and `sam` are the slots' names."""
    place = {card: 0, sam: 1}
    known: dict[bytes, str] = {}
    lines = []
    sent = 0
    for step in steps:
        if isinstance(step, Deed):
            lines.append(f"{step.verb} {place[step.slot]}")
            continue
        data, word = step.answer[:-2], step.answer[-2:].hex().upper()
        lines.append(f"send {place[step.slot]} {word} {' '.join(_pieces(step.command, known))}")
        if len(data) == _BLOCK:
            if step.slot == sam and data in known:
                # with an 8-byte cipher it is the proof itself
                lines.append(f"same {known[data]} r{sent}")
            known[data] = f"r{sent}"
        elif len(data) == _CRYPTOGRAM and step.slot == sam:
            folded = fold(data)
            if folded in known:
                lines.append(f"same {known[folded]} x{sent}")
            known[folded] = f"x{sent}"
        sent += 1
    return "\n".join(lines) + "\n"


def _pieces(command: bytes, known: dict[bytes, str]) -> list[str]:
    """Cut a command into literal bytes and references to answers."""
    pieces = []
    literal = command[:_HEADER]
    rest = command[_HEADER:]
    while rest:
        reference = known.get(rest[:_BLOCK])
        if reference is None:
            literal, rest = literal + rest[:1], rest[1:]
            continue
        pieces += [literal.hex()] * bool(literal) + [reference]
        literal, rest = b"", rest[_BLOCK:]
    return pieces + [literal.hex()] * bool(literal)
