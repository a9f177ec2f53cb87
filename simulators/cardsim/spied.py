"""What pcsc-lite's spy library wrote down about a program, as stays of cards.

Each call is `THREAD@>|seconds|microseconds|NAME`, a line for each argument, a line for each result, and
`THREAD@<|seconds|microseconds|NAME|text|code`; buffers are pairs of hex digits (libpcscspy of pcsc-lite, which its
program pcsc-spy shows).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from cardd.base.document import DocumentError
from cardd.base.structs import Hidden, Struct

_LINE: Final = re.compile(r"(?P<thread>[0-9A-Fa-f]+)@(?P<text>.*)")
_CALL: Final = re.compile(r">\|(?P<sec>\d+)\|(?P<usec>\d+)\|(?P<name>\w+)")
_END: Final = re.compile(r"<\|(?P<sec>\d+)\|(?P<usec>\d+)\|(?P<name>\w+)\|[^|]*\|0x(?P<code>[0-9A-Fa-f]+)")
_BUFFER: Final = re.compile(r"([0-9A-Fa-f]{2} ?)*")

_DONE: Final = 0
_REMOVED: Final = 0x80100069
_LOST: Final = frozenset({_REMOVED, 0x80100016, 0x8010002F})
"""The card got the command and nobody heard an answer: removed, not transacted, a communication error."""

_EMPTY: Final = 0x10
_PRESENT: Final = 0x20
_COUNTER: Final = 16
_READER_LINES: Final = 5
"""Name, current state, event state, length of the ATR, ATR."""


class Call(Struct, frozen=True):
    """One call: when it began and ended (seconds since 1970), its arguments and results line by line, its code."""

    number: int
    name: str
    began: float
    ended: float
    lines: Hidden[tuple[str, ...]]
    code: int


@dataclass
class Stay:
    """One card in one reader; exchanges are (call, command, answer)."""

    reader: str
    began: float
    atr: bytes = b""
    counter: int | None = None
    exchanges: list[tuple[Call, bytes, bytes]] = field(default_factory=list, repr=False)


def read_spied(path: Path) -> tuple[Stay, ...]:
    """Read what the spy wrote: the stays of cards that were spoken to.

    Raises OSError, DocumentError with the line of what is none of its lines, or of a card whose ATR nobody asked for;
    where no card was spoken to.
    """
    desk = _Desk(path)
    for call in calls(path):
        desk.take(call)
    stays = desk.stays()
    if not stays:
        # a program that opens libpcsclite by itself is not heard by way of LD_PRELOAD
        raise DocumentError(path, 1, 1, "holds no exchange with a card: the spy was not between the program and pcscd")
    return stays


def calls(path: Path) -> Iterator[Call]:
    """Yield the calls of all threads in the order in which they ended. Raises DocumentError."""
    open_calls: dict[str, tuple[int, re.Match[str], list[str]]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise DocumentError(path, number, 1, "is no line of pcsc-lite's spy: THREAD@…")
        thread, text = match["thread"], match["text"]
        begins, ends = _CALL.fullmatch(text), _END.fullmatch(text)
        if begins is not None:
            open_calls[thread] = (number, begins, [])
        elif thread not in open_calls:
            raise DocumentError(path, number, 1, "belongs to no call: the log does not begin where the program did")
        elif ends is None:
            open_calls[thread][2].append(text)
        else:
            first, begun, lines = open_calls.pop(thread)
            yield Call(first, begun["name"], _time(begun), _time(ends), tuple(lines), int(ends["code"], 16))


class _Desk:
    """Which handle is which reader's, and which card lies there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._readers: dict[str, str] = {}
        self._present: dict[str, Stay] = {}
        self._stays: list[Stay] = []

    def take(self, call: Call) -> None:
        """Take one call in."""
        act = _ACTS.get(call.name)
        if act is None:
            return
        try:
            act(self, call)
        except (IndexError, ValueError):
            problem = f"the call {call.name} has not the lines that it should have"
            raise DocumentError(self._path, call.number, 1, problem) from None

    def stays(self) -> tuple[Stay, ...]:
        """Return the stays with exchanges. Raises DocumentError for one whose ATR was never told."""
        spoken = [stay for stay in self._stays if stay.exchanges]
        for stay in spoken:
            if not stay.atr:
                number = stay.exchanges[0][0].number
                problem = f"no line tells the ATR of the card in {stay.reader}: the program asked nobody for it"
                raise DocumentError(self._path, number, 1, problem)
        return tuple(spoken)

    def connected(self, call: Call) -> None:
        """Remember a handle: context, reader, …, handle, protocol."""
        if call.code == _DONE:
            reader, handle = call.lines[1], call.lines[-2]
            self._readers[handle] = reader
            self._stay(reader, call)

    def asked(self, call: Call) -> None:
        """Take the ATR from SCardStatus: handle, …, ATR."""
        reader = self._readers.get(call.lines[0])
        if call.code == _DONE and reader is not None:
            self._told(reader, _buffer(call.lines[-1]), None, call)

    def changed(self, call: Call) -> None:
        """Take what SCardGetStatusChange says of each reader: context, timeout, number, readers before, and after."""
        count = int(call.lines[2], 16)
        after = call.lines[3 + count * _READER_LINES :]
        for index in range(0, len(after) - _READER_LINES + 1, _READER_LINES):
            reader, _, state, _, atr = after[index : index + _READER_LINES]
            bits = int(state, 16)
            if bits & _EMPTY:
                self._present.pop(reader, None)
            elif bits & _PRESENT:
                self._told(reader, _buffer(atr), bits >> _COUNTER, call)

    def transmitted(self, call: Call) -> None:
        """Take one exchange: handle, protocol, …, length, command, protocol, …, length, answer."""
        reader = self._readers.get(call.lines[0])
        if reader is None or (call.code != _DONE and call.code not in _LOST):
            return
        command = _buffer(call.lines[4])
        answer = _buffer(call.lines[-1]) if call.code == _DONE else b""
        self._stay(reader, call).exchanges.append((call, command, answer))
        if call.code == _REMOVED:
            self._present.pop(reader, None)

    def _told(self, reader: str, atr: bytes, counter: int | None, call: Call) -> None:
        stay = self._present.get(reader)
        other = stay is not None and (
            (atr and stay.atr and atr != stay.atr)
            or (counter is not None and stay.counter is not None and counter != stay.counter)
        )
        if other:
            del self._present[reader]
        stay = self._stay(reader, call)
        stay.atr = stay.atr or atr
        stay.counter = counter if stay.counter is None else stay.counter

    def _stay(self, reader: str, call: Call) -> Stay:
        if reader not in self._present:
            self._present[reader] = Stay(reader, call.began)
            self._stays.append(self._present[reader])
        return self._present[reader]


_ACTS: Final[Mapping[str, Callable[[_Desk, Call], None]]] = MappingProxyType(
    {
        "SCardConnect": _Desk.connected,
        "SCardStatus": _Desk.asked,
        "SCardGetStatusChange": _Desk.changed,
        "SCardTransmit": _Desk.transmitted,
    }
)


def _buffer(text: str) -> bytes:
    """Read hex pairs; NULL and nothing are no bytes. Raises ValueError."""
    if text == "NULL":
        return b""
    if not _BUFFER.fullmatch(text):
        raise ValueError("no buffer")
    return bytes.fromhex(text)


def _time(match: re.Match[str]) -> float:
    return int(match["sec"]) + int(match["usec"]) / 1_000_000
