"""Why the smart-card service cannot be reached, where libpcsclite has one code for several things.

libpcsclite says SCARD_E_NO_SERVICE for a socket that is not there, for one behind which nobody listens and for one that
may not be opened. So the socket is looked at: the remedy differs.
"""

import contextlib
import errno
import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.pcsc.errors import (
    NO_SERVICE,
    NO_SERVICE_CODE,
    SOCKET_ABANDONED,
    SOCKET_ABSENT,
    SOCKET_CLOSED,
    Phase,
    convey,
    explain,
)
from cardd.pcsc.scard import PcscError

_VARIABLE: Final = "PCSCLITE_CSOCK_NAME"
_USUAL: Final = "/run/pcscd/pcscd.comm"

_MEANINGS: Final = MappingProxyType(
    {
        errno.ENOENT: SOCKET_ABSENT,
        errno.ENOTDIR: SOCKET_ABSENT,
        errno.ECONNREFUSED: SOCKET_ABANDONED,
        errno.EACCES: SOCKET_CLOSED,
        errno.EPERM: SOCKET_CLOSED,
    }
)


TELL_AGAIN_S: Final = 60.0


class Absence:
    """What there is to tell of a service that is away: each reason once, and one that was told at most once a minute.

    A service that is refused now and absent then, twice a second, would fill log and journal with that otherwise.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._told: set[tuple[Reason, str]] = set()
        self._last = ("", "")
        self._told_at = float("-inf")

    def is_news(self, reason: Reason, text_code: str) -> bool:
        """Tell whether this is to be told now, and count on that."""
        word = (reason, text_code)
        now = self._monotonic()
        if word == self._last or (word in self._told and now - self._told_at < TELL_AGAIN_S):
            return False
        self._told.add(word)
        self._last, self._told_at = word, now
        return True


def explain_absence(error: PcscError) -> CarddError:
    """Return the CarddError for a failed watch or connect; for a service that is not there, after a look at why."""
    if error.code != NO_SERVICE_CODE:
        return explain(error, Phase.CONNECTING)
    path = socket_in(os.environ)
    return convey(error, _MEANINGS.get(_hindrance(path), NO_SERVICE), Phase.CONNECTING)


def socket_in(environment: Mapping[str, str]) -> Path:
    """Return where libpcsclite looks for pcscd in a process that was started with an environment."""
    return Path(environment.get(_VARIABLE) or _USUAL)


def _hindrance(path: Path) -> int:
    """Return the errno with which opening the socket fails, 0 if it can be opened. Never waits."""
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as probe:
        probe.setblocking(False)
        try:
            probe.connect(os.fspath(path))
        except OSError as error:
            return error.errno or 0
    return 0
