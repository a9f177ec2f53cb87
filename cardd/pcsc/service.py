"""Why the smart-card service cannot be reached, where libpcsclite has one code for several things.

libpcsclite says SCARD_E_NO_SERVICE for a socket that is not there, for one behind which nobody listens and for one that
may not be opened. So the socket is looked at: the remedy differs.
"""

import contextlib
import errno
import os
import socket
from pathlib import Path
from types import MappingProxyType
from typing import Final

from cardd.base.errors import CarddError
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


def explain_absence(error: PcscError) -> CarddError:
    """Return the CarddError for a failed watch or connect; for a service that is not there, after a look at why."""
    if error.code != NO_SERVICE_CODE:
        return explain(error, Phase.CONNECTING)
    path = Path(os.environ.get(_VARIABLE) or _USUAL)
    return convey(error, _MEANINGS.get(_hindrance(path), NO_SERVICE), Phase.CONNECTING)


def _hindrance(path: Path) -> int:
    """Return the errno with which opening the socket fails, 0 if it can be opened. Never waits."""
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as probe:
        probe.setblocking(False)
        try:
            probe.connect(os.fspath(path))
        except OSError as error:
            return error.errno or 0
    return 0
