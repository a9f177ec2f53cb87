"""Where the daemon listens."""

import os
import socket
import struct
from collections.abc import Mapping
from pathlib import Path

from cardd.client.errors import UnreachableError

DEFAULT_SOCKET = "/run/cardd/cardd.sock"
CONNECT_S = 30.0
_TIMEVAL = struct.Struct("ll")


def socket_path(explicit: str | os.PathLike[str] | None = None, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the path given, else that of CARDD_SOCKET, else the default."""
    return Path(explicit or environment.get("CARDD_SOCKET") or DEFAULT_SOCKET)


def unreachable(path: Path, error: OSError) -> UnreachableError:
    """Put a failed connection into one sentence with its remedy."""
    match error:
        case FileNotFoundError():
            said = f"there is no socket {path}. Start the daemon (systemctl start cardd), or name it in CARDD_SOCKET"
        case ConnectionRefusedError():
            said = f"nobody answers on {path}. Start the daemon: systemctl start cardd"
        case PermissionError():
            said = f"you may not open {path}. Join the group that owns it, then log in again"
        case _:
            said = f"{path} cannot be used ({error.strerror or type(error).__name__}). Look at: systemctl status cardd"
    return UnreachableError(said)


def connected(path: Path, seconds: float = CONNECT_S) -> socket.socket:
    """Connect, and wait for it up to so long where many are before us. Raises OSError.

    A socket of Python's with a time limit does not wait at all: the kernel turns it away while its queue is full.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIMEVAL.pack(int(seconds), int(seconds % 1 * 1e6)))
        sock.connect(os.fspath(path))
    except BaseException:
        sock.close()
        raise
    sock.settimeout(seconds)
    return sock
