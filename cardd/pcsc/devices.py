"""Which device a reader is: the serial number and the USB port, which the reader's name does not tell.

A reader is asked on a direct connection, which powers no card and disturbs none, by a thread of its own, because a
driver may never answer. One that another program has to itself is asked again at the next look.
"""

import contextlib
import threading
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from cardd.base.structs import Struct
from cardd.pcsc.scard import Attribute, Disposition, PcscError, Protocol, Scard, Share

PATIENCE_S: Final = 0.5
"""So long the watch waits for what new readers say of themselves."""

GIVEN_UP_S: Final = 60.0
"""An answer that comes later than this is no longer looked for."""

_SHARING_VIOLATION: Final = 0x8010000B
_USB: Final = 0x0020
_SYSFS: Final = Path("/sys/bus/usb/devices")


class Device(Struct, frozen=True):
    """What a device says of itself; None is what it does not say."""

    serial: str | None = None
    usb: str | None = None


UNKNOWN: Final = Device()


class Devices:
    """What is known of the readers there are. One thread's only, the watching one."""

    def __init__(self, scard: Scard, sysfs: Path = _SYSFS) -> None:
        self._scard = scard
        self._sysfs = sysfs
        self._questions: dict[str, _Question] = {}

    def meet(self, readers: Collection[str]) -> None:
        """Ask the readers that are new and wait a little for their answers; forget those that have gone."""
        known = self._questions
        asked = [name for name in readers if name not in known or known[name].refused]
        new = {name: self._ask(name) for name in asked}
        self._questions = {name: new.get(name) or known[name] for name in readers}
        until = time.monotonic() + PATIENCE_S
        for question in new.values():
            question.answered.wait(max(0.0, until - time.monotonic()))

    def device(self, reader: str) -> Device:
        """Return what a reader has said of itself so far."""
        question = self._questions.get(reader)
        return question.device if question is not None else UNKNOWN

    def forget(self) -> None:
        """Forget all of them: behind the same names there may be others."""
        self._questions = {}

    @property
    def waiting(self) -> bool:
        """Tell whether an answer may still come."""
        return any(question.open for question in self._questions.values())

    def _ask(self, reader: str) -> "_Question":
        question = _Question(time.monotonic())
        arguments = (self._scard, reader, self._sysfs)
        threading.Thread(target=question.put, args=arguments, name="pcsc-device", daemon=True).start()
        return question


class _Question:
    """One reader, asked once. `put` runs on its own thread; the answer is one assignment."""

    def __init__(self, asked: float) -> None:
        self.device = UNKNOWN
        self.answered = threading.Event()
        self.refused = False
        self._asked = asked

    @property
    def open(self) -> bool:
        return not self.answered.is_set() and time.monotonic() - self._asked < GIVEN_UP_S

    def put(self, scard: Scard, reader: str, sysfs: Path) -> None:
        try:
            with direct(scard, reader) as handle:
                self.device = Device(_serial(scard, handle), _port(scard, handle, sysfs))
        except PcscError as error:
            # anything else (the reader has gone, or the service, polkit says no) the watch says in its own words
            self.refused = error.code == _SHARING_VIOLATION
        finally:
            self.answered.set()


@contextlib.contextmanager
def direct(scard: Scard, reader: str) -> Iterator[int]:
    """Connect to the reader itself, on a context of the calling thread."""
    context = scard.establish_context()
    try:
        handle, _ = scard.connect(context, reader, Share.DIRECT, Protocol.NONE)
        try:
            yield handle
        finally:
            scard.disconnect(handle, Disposition.LEAVE)
    finally:
        scard.release_context(context)


def _serial(scard: Scard, handle: int) -> str | None:
    text = _attribute(scard, handle, Attribute.SERIAL_NUMBER).rstrip(b"\0").decode("utf-8", "replace")
    return text if text.isprintable() and text.strip() else None


def _port(scard: Scard, handle: int, sysfs: Path) -> str | None:
    """Return the path of USB ports at which a reader is plugged in, as the kernel writes it."""
    channel = int.from_bytes(_attribute(scard, handle, Attribute.CHANNEL), "little")
    if channel >> 16 != _USB:
        return None
    place = (channel >> 8 & 0xFF, channel & 0xFF)
    return next((device.name for device in _devices(sysfs) if _place(device) == place), None)


def _attribute(scard: Scard, handle: int, which: Attribute) -> bytes:
    """Ask for one attribute; a driver that does not know it says nothing."""
    try:
        return scard.attribute(handle, which)
    except PcscError:
        return b""


def _devices(sysfs: Path) -> list[Path]:
    """Return the USB devices; names with a colon are interfaces of one."""
    return [device for device in sysfs.glob("*") if ":" not in device.name]


def _place(device: Path) -> tuple[int, int] | None:
    """Return bus and address of a USB device, None for one that has just gone."""
    try:
        return int((device / "busnum").read_text()), int((device / "devnum").read_text())
    except (OSError, ValueError):
        return None
