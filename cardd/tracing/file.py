"""The file of a trace: JSON lines, written beside the card work and never in its way."""

import os
import stat
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import structlog

from cardd.base.clock import Clock
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Hidden, Struct
from cardd.readers.insertion import Insertion
from cardd.rules.masking import Masker, Place, Shown

log = structlog.get_logger()

MOST: Final = 4096
"""So many exchanges wait for the file; those that come then are lost, and the file says how many."""

_CLOSE_S: Final = 1.0
_DIGITS: Final = 6


class _Exchange(Struct, frozen=True):
    insertion: Insertion
    at: float
    seconds: float
    command: Hidden[bytes]
    answer: Hidden[bytes]


class _Beginning(msgspec.Struct, frozen=True):
    """The first line of a stay in this file."""

    insertion: str
    reader: str
    t: float
    atr: str


class _Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One exchange: `t` seconds since 1970 at its end, `ms` how long it took."""

    insertion: str
    t: float
    ms: float
    c: str
    r: str
    masked: Place | None = None
    r_masked: Place | None = None


class _Loss(msgspec.Struct, frozen=True):
    """So many exchanges are missing here."""

    lost: int
    t: float


class TraceFile:
    """Writes every exchange with every card down, those of all readers in the order in which they ended.

    Anybody's thread may show it exchanges; a thread of its own writes them. With `secrets` PINs and people are in it.
    """

    def __init__(self, path: Path, *, clock: Clock, secrets: bool = False, most: int = MOST) -> None:
        """Open the file to append to it. Raises CarddError(INVALID) where that cannot be."""
        self._path = path
        self._clock = clock
        self._secrets = secrets
        self._most = most
        self._descriptor: int | None = _opened(path)
        self._waiting: deque[_Exchange] = deque()
        self._changed = threading.Condition()
        self._lost = 0
        self._again = False
        self._over = False
        self._failing = False
        self._begun: dict[str, tuple[str, Masker]] = {}
        self._thread = threading.Thread(target=self._main, name="trace", daemon=True)
        self._thread.start()

    # -- any thread --

    @property
    def holds_secrets(self) -> bool:
        """Tell whether PINs and people are in the file."""
        return self._secrets

    def exchanged(self, insertion: Insertion, command: bytes, answer: bytes, seconds: float) -> None:
        """Take one exchange, or count it as lost where too many wait."""
        exchange = _Exchange(insertion, self._clock.now().timestamp(), seconds, command, answer)
        with self._changed:
            if len(self._waiting) >= self._most:
                self._lost += 1
            elif not self._over:
                self._waiting.append(exchange)
                self._changed.notify()

    def reopen(self) -> None:
        """Close the file when what waits is in it, and open it anew, for whoever has moved it away."""
        with self._changed:
            self._again = True
            self._changed.notify()

    def close(self) -> None:
        """Write what waits and close the file; a disk that hangs is left behind."""
        with self._changed:
            self._over = True
            self._changed.notify()
        self._thread.join(_CLOSE_S)

    # -- the trace's own thread --

    def _main(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._lost or self._again or self._over)
                batch, lost, again, over = tuple(self._waiting), self._lost, self._again, self._over
                self._waiting.clear()
                self._lost, self._again = 0, False
            self._write(batch, lost)
            if again:
                self._open_anew()
            if over:
                self._shut()
                return

    def _write(self, batch: tuple[_Exchange, ...], lost: int) -> None:
        lines = [msgspec.json.encode(line) + b"\n" for line in self._lines(batch)]
        if lost:
            lines.append(msgspec.json.encode(_Loss(lost, round(self._clock.now().timestamp(), _DIGITS))) + b"\n")
            # what was selected meanwhile nobody knows
            self._begun.clear()
        if not lines:
            return
        try:
            _write_all(self._descriptor, b"".join(lines))
        except OSError as error:
            self._failed(error, len(batch) + lost)
        else:
            self._failing = False

    def _failed(self, error: OSError, exchanges: int) -> None:
        """Remember what could not be written: the file says so when it can be written again."""
        if not self._failing:
            log.warning("the trace cannot be written: what is said to cards meanwhile is lost", problem=error.strerror)
        self._failing = True
        self._begun.clear()
        with self._changed:
            # told with the next exchange, not tried again without end
            self._lost += exchanges
            if not self._over:
                self._changed.wait_for(lambda: self._waiting or self._again or self._over)

    def _lines(self, batch: tuple[_Exchange, ...]) -> Iterator[_Beginning | _Line]:
        for exchange in batch:
            stay = exchange.insertion
            known, masker = self._begun.get(stay.reader, ("", None))
            if masker is None or known != stay.id:
                masker = Masker()
                self._begun[stay.reader] = (stay.id, masker)
                began = round(exchange.at - exchange.seconds, _DIGITS)
                yield _Beginning(stay.id, stay.reader, began, stay.atr.hex().upper())
            yield self._line(exchange, masker)

    def _line(self, exchange: _Exchange, masker: Masker) -> _Line:
        shown = masker.shown(exchange.command, exchange.answer)
        if self._secrets:
            shown = Shown(exchange.command, exchange.answer)
        return _Line(
            insertion=exchange.insertion.id,
            t=round(exchange.at, _DIGITS),
            ms=round(exchange.seconds * 1000, 3),
            c=shown.command.hex().upper(),
            r=shown.answer.hex().upper(),
            masked=shown.command_masked,
            r_masked=shown.answer_masked,
        )

    def _open_anew(self) -> None:
        self._shut()
        self._begun.clear()
        try:
            self._descriptor = _opened(self._path)
        except CarddError as error:
            log.error("the trace was not opened anew", problem=error.detail)  # noqa: TRY400 # the sentence says it

    def _shut(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _opened(path: Path) -> int:
    """Open a file of one's own to append to it, for nobody else to read."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        raise _refused(path, error.strerror) from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _refused(path, "is no plain file")
        os.fchmod(descriptor, 0o600)
    except (OSError, CarddError) as error:
        os.close(descriptor)
        raise error if isinstance(error, CarddError) else _refused(path, error.strerror) from None
    return descriptor


def _refused(path: Path, problem: str | None) -> CarddError:
    return CarddError(Reason.INVALID, f"the trace {path} cannot be written: {problem}")


def _write_all(descriptor: int | None, text: bytes) -> None:
    if descriptor is None:
        raise OSError(0, "the file is not open")
    while text:
        text = text[os.write(descriptor, text) :]
