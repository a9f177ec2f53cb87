"""The PC/SC functions of libpcsclite with types: one method a function, every failure a `PcscError`.

The only module that knows pyscard, and of that only `smartcard.scard`, the layer that is C: the classes above it end
for good at the first error. Contexts and handles are plain numbers here; who owns them is the callers' business.
"""

import ctypes
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum, IntFlag
from typing import Any, Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Struct

PNP_NOTIFICATION: Final = "\\\\?PnP?\\Notification"
"""The pseudo reader whose state changes when readers come and go (PC/SC part 5)."""

FOREVER: Final = 0xFFFFFFFF
"""A wait without a time limit, in milliseconds as PC/SC has it."""

_SUCCESS: Final = 0
_INVALID_HANDLE: Final = 0x80100003
_NO_READERS_AVAILABLE: Final = 0x8010002E
_SCOPE_SYSTEM: Final = 2
_LIBRARY: Final = "libpcsclite.so.1"


class PcscError(Exception):
    """A PC/SC function failed: its name and its code, unsigned 32 bits as in pcsclite.h."""

    def __init__(self, call: str, code: int) -> None:
        super().__init__(f"{call}: 0x{code:08X}")
        self.call = call
        self.code = code


class Share(IntEnum):
    """With whom a card is shared."""

    EXCLUSIVE = 1
    SHARED = 2
    DIRECT = 3
    """With the reader itself: no card is powered, none has to be there."""


class Disposition(IntEnum):
    """What becomes of the card when it is let go."""

    LEAVE = 0
    RESET = 1


class Attribute(IntEnum):
    """What a reader can be asked (PC/SC part 3, annex A)."""

    SERIAL_NUMBER = 0x00010103
    """Of the device, as its maker gave it."""

    CHANNEL = 0x00020110
    """Where it is connected: `DDDDCCCC`; on USB DDDD is 0020 and CCCC bus and address, eight bits each."""


class Protocol(IntFlag):
    """Transmission protocols, as a mask where several will do."""

    NONE = 0
    T0 = 1
    T1 = 2


class State(IntFlag):
    """Reader states of SCardGetStatusChange, the lower 16 bits."""

    UNAWARE = 0x0000
    IGNORE = 0x0001
    CHANGED = 0x0002
    UNKNOWN = 0x0004
    UNAVAILABLE = 0x0008
    EMPTY = 0x0010
    PRESENT = 0x0020
    ATRMATCH = 0x0040
    EXCLUSIVE = 0x0080
    INUSE = 0x0100
    MUTE = 0x0200
    UNPOWERED = 0x0400


_NOT_CHANGED: Final = ~int(State.CHANGED)


class ReaderState(Struct, frozen=True):
    """One reader's state as PC/SC has it: flags below, the count of insertions and removals in the upper 16 bits."""

    name: str
    event: int = int(State.UNAWARE)
    atr: bytes = b""

    @property
    def flags(self) -> State:
        """The flags alone."""
        return State(self.event & 0xFFFF)

    @property
    def counter(self) -> int:
        """How often a card came or went, 16 bits, wrapping."""
        return self.event >> 16


class Scard:
    """PC/SC as libpcsclite offers it. A call may block for ever, except `wait`, which `cancel` ends."""

    def __init__(self, library: str = _LIBRARY) -> None:
        self._scard = _load(library)

    def establish_context(self) -> int:
        """Return a new context. A thread needs one of its own: calls on one context wait for each other."""
        (context,) = self._call("SCardEstablishContext", _SCOPE_SYSTEM)
        return int(context)

    def release_context(self, context: int) -> None:
        """Give a context back, and with it every handle it has."""
        self._call("SCardReleaseContext", context)

    def list_readers(self, context: int) -> tuple[str, ...]:
        """Return the names of all readers; none are no error."""
        try:
            (names,) = self._call("SCardListReaders", context, [])
        except PcscError as error:
            if error.code == _NO_READERS_AVAILABLE:
                return ()
            raise
        return tuple(str(name) for name in names)

    def wait(self, context: int, known: Iterable[ReaderState], timeout_ms: int) -> tuple[ReaderState, ...]:
        """Block until one of the readers is no longer in its known state; return all of them as they are now."""
        # the count in the upper bits goes along: that is how an exchange between two waits is noticed
        states = [(state.name, state.event & _NOT_CHANGED) for state in known]
        (changed,) = self._call("SCardGetStatusChange", context, timeout_ms, states)
        return tuple(ReaderState(str(name), int(event), _octets(atr)) for name, event, atr in changed)

    def cancel(self, context: int) -> None:
        """End a `wait` on this context, from another thread. Lost where nobody waits at that moment."""
        self._call("SCardCancel", context)

    def connect(self, context: int, reader: str, share: Share, protocols: Protocol) -> tuple[int, Protocol]:
        """Power the card; return its handle and the protocol that was chosen."""
        handle, protocol = self._call("SCardConnect", context, reader, int(share), int(protocols))
        return int(handle), Protocol(protocol)

    def power_anew(self, handle: int) -> None:
        """Reset whatever is in the reader of a direct connection, also where the reader says that nothing is."""
        self._call("SCardReconnect", handle, int(Share.DIRECT), int(Protocol.NONE), int(Disposition.RESET))

    def attribute(self, handle: int, which: Attribute) -> bytes:
        """Return what the reader says of itself."""
        (value,) = self._call("SCardGetAttrib", handle, int(which))
        return _octets(value)

    def answer_to_reset(self, handle: int) -> bytes:
        """Return the answer to reset of the connected card."""
        *_, atr = self._call("SCardStatus", handle)
        return _octets(atr)

    def transmit(self, handle: int, protocol: Protocol, command: bytes) -> bytes:
        """Send one command; the answer may be shorter than a status word where the card is being torn out."""
        (response,) = self._call("SCardTransmit", handle, int(protocol), list(command))
        return _octets(response)

    def control(self, handle: int, code: int, data: bytes) -> bytes:
        """Send a command to the reader itself (PC/SC part 10)."""
        (response,) = self._call("SCardControl", handle, code, list(data))
        return _octets(response)

    def begin_transaction(self, handle: int) -> None:
        """Begin a transaction; waits while another program has one."""
        self._call("SCardBeginTransaction", handle)

    def end_transaction(self, handle: int, disposition: Disposition) -> None:
        """End a transaction."""
        self._call("SCardEndTransaction", handle, int(disposition))

    def disconnect(self, handle: int, disposition: Disposition) -> None:
        """Let go of the card."""
        self._call("SCardDisconnect", handle, int(disposition))

    def _call(self, name: str, *arguments: object) -> Sequence[Any]:
        """Call a function; return what it returns besides the code."""
        function: Callable[..., Any] = getattr(self._scard, name)
        try:
            outcome = function(*arguments)
        except SystemError:
            # pyscard has no code for a number that never was a handle
            raise PcscError(name, _INVALID_HANDLE) from None
        code, *values = outcome if isinstance(outcome, (list, tuple)) else (outcome,)
        code = int(code) & 0xFFFFFFFF
        if code != _SUCCESS:
            raise PcscError(name, code)
        return values


def _octets(values: Iterable[int]) -> bytes:
    """Return pyscard's list of numbers as bytes; a number that is no octet is a ValueError, never cut to fit."""
    return bytes(values)


def _c_layer() -> Any:
    """Import `smartcard.scard` without what its package would import: a dozen classes that nobody here uses.

    They are 0.2 MiB and 2 ms of each start.
    """
    if "smartcard.scard" not in sys.modules and "smartcard" not in sys.modules:
        package = importlib.util.find_spec("smartcard")
        if package is None:
            raise ImportError
        sys.modules["smartcard"] = importlib.util.module_from_spec(package)
    return importlib.import_module("smartcard.scard")


def _load(library: str) -> Any:
    """Import pyscard's C layer; raises CarddError PCSC_UNAVAILABLE with what to install."""
    try:
        # asked first, because importing pyscard without the library prints to standard output and goes on
        ctypes.CDLL(library)
    except OSError:
        raise CarddError(
            Reason.PCSC_UNAVAILABLE, f"{library} is not installed. Install it: apt-get install libpcsclite1 pcscd."
        ) from None
    try:
        return _c_layer()
    except ImportError:
        raise CarddError(
            Reason.PCSC_UNAVAILABLE,
            "pyscard is not installed. Install it into cardd's environment: pip install pyscard "
            "(needs gcc, python3-dev and libpcsclite-dev).",
        ) from None
