"""Commands as they arrive: the header first, then the body as the interface frames it.

On contacts (T=0) the card sees a five-byte header, and the instruction alone says whether P3 is Lc or Le; a terminal
that hands down a case 4 command cannot send its Le. On the antenna the four cases of ISO 7816-4 arrive as they are.
A body that fits neither is told apart only after the checks that come before the length.
"""

from collections.abc import Callable
from enum import Enum
from typing import Final

from cardd.base.structs import Struct

HEADER: Final = 4
SHORT: Final = 5
"""A command without data."""
_WHOLE: Final = 256
"""Le = 00: as much as there is, up to 256 bytes."""


class Direction(Enum):
    """Where an instruction's data goes."""

    IN = "to the card"
    OUT = "from the card"


# for what every command passes: an enumeration takes as long to name a member as to call a function
IN: Final = Direction.IN
OUT: Final = Direction.OUT


class Command(Struct, frozen=True):
    """One command. `le` is 1 to 256, None where the command has none."""

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = b""
    le: int | None = None

    @property
    def header(self) -> bytes:
        """Return CLA INS P1 P2."""
        return bytes((self.cla, self.ins, self.p1, self.p2))


Framing = Callable[[bytes, Direction], Command | None]
"""Reads a raw command of at least four bytes; None where its length fits no case."""


def frame_contact(raw: bytes, direction: Direction) -> Command | None:
    """Read a command as a T=0 card sees it: P3 is Lc or Le by the instruction, a missing P3 is 00."""
    p3 = raw[HEADER] if len(raw) > HEADER else 0
    if direction is OUT:
        return _command(raw, le=p3 or _WHOLE) if len(raw) <= SHORT else None
    body = raw[SHORT:]
    # with data before it, a fifth part is an Le, which stays in the terminal
    if len(body) == p3 or (p3 and len(body) == p3 + 1):
        return _command(raw, data=body[:p3])
    return None


def frame_contactless(raw: bytes, direction: Direction) -> Command | None:
    """Read a command by the four cases of ISO 7816-4, short lengths only."""
    if len(raw) == HEADER:
        return None if direction is OUT else Command(*raw)
    lc, body = raw[HEADER], raw[SHORT:]
    if not body:
        return _command(raw, le=lc or _WHOLE)
    if direction is OUT or not lc or len(body) not in {lc, lc + 1}:
        return None
    le = (body[lc] or _WHOLE) if len(body) > lc else None
    return _command(raw, data=body[:lc], le=le)


def _command(raw: bytes, data: bytes = b"", le: int | None = None) -> Command:
    return Command(raw[0], raw[1], raw[2], raw[3], data, le)
