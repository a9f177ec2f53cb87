"""Short command and response APDUs, the four cases of ISO 7816-4."""

from typing import Final, Self

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Struct

HEADER: Final = 4
MAX_DATA: Final = 255
MAX_LE: Final = 256
_BYTE: Final = 255
_STATUS: Final = 2
_OK: Final = 0x9000


class Command(Struct, frozen=True):
    """A short command APDU.

    `le` is the number of bytes expected, 1 to 256, or None for a command without Le; 256 travels as 00. Raises
    CarddError(INVALID) for values that a short APDU cannot hold. Its repr tells header and lengths, never data.
    """

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = b""
    le: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.cla | self.ins | self.p1 | self.p2 <= _BYTE:
            raise CarddError(Reason.INVALID, "a byte of the command's header is not 0 to 255")
        if len(self.data) > MAX_DATA:
            raise CarddError(
                Reason.INVALID, f"{len(self.data)} bytes of command data, a short command holds {MAX_DATA}"
            )
        if self.le is not None and not 1 <= self.le <= MAX_LE:
            raise CarddError(Reason.INVALID, f"Le {self.le} is not 1 to {MAX_LE}")

    def __repr__(self) -> str:
        lc = f" Lc={len(self.data):02X}" if self.data else ""
        le = "" if self.le is None else f" Le={self.le & _BYTE:02X}"
        return f"<Command {self.header.hex(' ').upper()}{lc}{le}>"

    @property
    def header(self) -> bytes:
        """Return CLA INS P1 P2, 4 bytes."""
        return bytes((self.cla, self.ins, self.p1, self.p2))

    @property
    def case(self) -> int:
        """Return 1 (no data, no Le), 2 (Le), 3 (data) or 4 (both)."""
        return 1 + (self.le is not None) + 2 * bool(self.data)

    def encode(self) -> bytes:
        """Return the bytes of the command, 4 to 261."""
        body = bytes((len(self.data),)) + self.data if self.data else b""
        tail = b"" if self.le is None else bytes((self.le & _BYTE,))
        return self.header + body + tail

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Read a short command; five bytes are case 2, so a T=0 case 1 (P3=00) reads as Le 256.

        Raises CarddError(INVALID) for anything else, extended length included.
        """
        if len(raw) < HEADER:
            raise CarddError(Reason.INVALID, f"a command of {len(raw)} bytes is shorter than its header")
        cla, ins, p1, p2 = raw[:HEADER]
        rest = raw[HEADER:]
        if len(rest) <= 1:
            return cls(cla, ins, p1, p2, le=(rest[0] or MAX_LE) if rest else None)
        lc = rest[0]
        if lc == 0:
            raise CarddError(Reason.INVALID, "extended length is not used with these cards")
        data, tail = rest[1 : 1 + lc], rest[1 + lc :]
        if len(data) < lc or len(tail) > 1:
            raise CarddError(Reason.INVALID, f"Lc {lc:02X} does not fit {len(rest) - 1} bytes after it")
        return cls(cla, ins, p1, p2, data, (tail[0] or MAX_LE) if tail else None)


class Response(Struct, frozen=True):
    """A response APDU: data and the status word SW1 SW2 as one number. Its repr never tells data."""

    data: bytes
    sw: int

    def __repr__(self) -> str:
        return f"<Response {len(self.data)} bytes {self.sw:04X}>"

    @property
    def ok(self) -> bool:
        """Tell whether the status word is 9000."""
        return self.sw == _OK

    def encode(self) -> bytes:
        """Return data and status word as they travel."""
        return self.data + self.sw.to_bytes(_STATUS, "big")

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Read an answer. Raises CarddError(CARD_REMOVED) for one under two bytes: the card has gone mid-answer."""
        if len(raw) < _STATUS:
            raise CarddError(Reason.CARD_REMOVED, f"the card answered {len(raw)} bytes, no status word")
        return cls(raw[:-_STATUS], int.from_bytes(raw[-_STATUS:], "big"))
