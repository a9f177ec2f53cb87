"""A trace of commands that is safe to keep: headers, lengths and status words, no data."""

from typing import Protocol

from cardd.iso7816.apdu import Command, Response


class Log(Protocol):
    """The part of a structlog logger that is used."""

    def debug(self, event: str, /, **fields: object) -> object:
        """Write one line of detail."""


class MaskingTracer:
    """Log every command without its data.

    Data are left out in both directions and for every command, because a READ RECORD answers with persons and a VERIFY
    carries a PIN.
    """

    def __init__(self, log: Log) -> None:
        self._log = log

    def command(self, command: Command) -> None:
        """Log nothing yet: a line is written once, with the answer."""

    def response(self, command: Command, response: Response, seconds: float) -> None:
        """Log one exchange: `header` in hexadecimal, `lc`, `le`, `received` bytes, `sw`, `ms`."""
        self._log.debug(
            "apdu",
            header=command.header.hex().upper(),
            lc=len(command.data),
            le=command.le,
            received=len(response.data),
            sw=f"{response.sw:04X}",
            ms=round(seconds * 1000, 3),
        )
