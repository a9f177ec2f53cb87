"""What pcscd shows, asked over its own socket: enough of its client protocol (4.4) to see readers and wait for them.

Unlike libpcsclite, which takes one socket for the life of a process, this can look at several services at once.
"""

import socket
import struct
import time
from collections.abc import Callable
from enum import IntEnum, IntFlag
from pathlib import Path
from typing import Final

from cardd.base.structs import Struct

_HEADER: Final = struct.Struct("=II")
_VERSION: Final = struct.Struct("=iiI")
_READER: Final = struct.Struct("=128sIIi33s3xII")
_EVENT: Final = struct.Struct("=II")
_READERS: Final = 16


class _Ask(IntEnum):
    """Messages of the client."""

    VERSION = 0x11
    WAIT_STATE_CHANGE = 0x13
    """Answered with every reader at once, and later with an event when one changes."""


class Status(IntFlag):
    """A reader's state inside pcscd."""

    ABSENT = 0x02
    PRESENT = 0x04


class ReaderView(Struct, frozen=True):
    """A reader as pcscd shows it to its clients; `counter` grows with insertions and removals."""

    name: str
    counter: int
    present: bool
    atr: bytes


View = tuple[ReaderView, ...]


class PcscdSilentError(Exception):
    """pcscd did not answer, or did not come to show what was waited for."""


def wait_for(path: Path, wanted: Callable[[View], bool], seconds: float) -> View:
    """Return the readers as soon as they are as wanted; asks pcscd to tell of changes, and asks again if it dies.

    Raises PcscdSilentError at the end of the time.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return _watch(path, wanted, deadline)
        except OSError:
            if time.monotonic() >= deadline:
                raise PcscdSilentError(f"pcscd at {path} did not show what was waited for in {seconds:g} s") from None
            time.sleep(0.005)


def _watch(path: Path, wanted: Callable[[View], bool], deadline: float) -> View:
    with socket.socket(socket.AF_UNIX) as link:
        _limit(link, deadline)
        link.connect(str(path))
        _say(link, _Ask.VERSION, _VERSION.pack(4, 4, 0))
        _hear(link, _VERSION.size)
        while True:
            _say(link, _Ask.WAIT_STATE_CHANGE)
            view = _view(_hear(link, _READER.size * _READERS))
            if wanted(view):
                return view
            _limit(link, deadline)
            _hear(link, _EVENT.size)


def _limit(link: socket.socket, deadline: float) -> None:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    link.settimeout(left)


def _say(link: socket.socket, ask: _Ask, body: bytes = b"") -> None:
    link.sendall(_HEADER.pack(len(body), ask) + body)


def _hear(link: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = link.recv(count - len(data))
        if not part:
            raise ConnectionResetError
        data += part
    return data


def _view(raw: bytes) -> View:
    readers = []
    for name, counter, state, _sharing, atr, atr_length, _protocol in _READER.iter_unpack(raw):
        text = name.split(b"\0")[0].decode(errors="replace")
        if text:
            readers.append(ReaderView(text, counter, bool(state & Status.PRESENT), atr[:atr_length]))
    return tuple(readers)
