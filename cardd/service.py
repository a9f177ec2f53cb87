"""What systemd wants of a service: readiness, how it stands, signs of life, a handed-over socket, no core dumps."""

import asyncio
import contextlib
import gc
import os
import resource
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping

_FIRST_PASSED = 3
_BEATS_A_TERM = 3
"""So many signs of life are given in the time in which one is wanted."""


def notify(message: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Tell the service manager something (`READY=1`, `STOPPING=1`, …), as sd_notify does; False where there is none."""
    address = environment.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.connect(address)
        out.sendall(message.encode())
        return True
    return False


class Standing:
    """How the service stands, in the one line of `systemctl status`: the newest word on each of several matters."""

    def __init__(self, tell: Callable[[str], object] = notify) -> None:
        self._tell = tell
        self._words: dict[str, str] = {}

    def say(self, matter: str, words: str) -> None:
        """Replace what is told of a matter; nothing is to be told of it where the words are empty."""
        # a line break would begin another assignment of the message
        line = " ".join(words.split())
        if self._words.get(matter, "") == line:
            return
        self._words[matter] = line
        self._tell("STATUS=" + "; ".join(words for words in self._words.values() if words))


@contextlib.contextmanager
def reloading(tell: Callable[[str], object] = notify) -> Iterator[None]:
    """Tell the service manager that the configuration is read again, and at the end that all is as usual."""
    tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
    try:
        yield
    finally:
        tell("READY=1")


def has_terminal() -> bool:
    """Tell whether this process has a controlling terminal. One that was hung up is none any more."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def watchdog_s(environment: Mapping[str, str] = os.environ) -> float | None:
    """Return the seconds within which the service manager wants a sign of life of this process; None for never."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        microseconds = int(environment.get("WATCHDOG_USEC", "0"))
    except ValueError:
        return None
    return microseconds / 1e6 if microseconds > 0 else None


async def prove_life(work: Callable[[], Awaitable[object]], environment: Mapping[str, str] = os.environ) -> None:
    """Give the service manager its signs of life, for ever, each one after a piece of work has been done.

    Runs where the work is done, on the event loop: where that stands still, or the work does, no sign is given. Returns
    at once where none is wanted.
    """
    term = watchdog_s(environment)
    if term is None:
        return
    while True:
        await work()
        notify("WATCHDOG=1", environment)
        await asyncio.sleep(term / _BEATS_A_TERM)


def passed_socket(environment: Mapping[str, str] = os.environ) -> socket.socket | None:
    """Return the listening socket that the service manager opened for us, if it did (sd_listen_fds)."""
    if environment.get("LISTEN_PID") != str(os.getpid()) or int(environment.get("LISTEN_FDS", "0")) < 1:
        return None
    os.set_inheritable(_FIRST_PASSED, False)
    return socket.socket(fileno=_FIRST_PASSED)


def settle() -> None:
    """Take everything that there is for permanent, and look for garbage among what comes from now on only.

    Modules, tables and parts of the daemon are forty thousand objects; each full search went through all of them, for
    ten milliseconds in which every thread waited.
    """
    gc.freeze()
    gc.enable()


def forbid_core_dumps() -> None:
    """Keep keys, PINs and persons out of files that a crash would write."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
