"""Where the daemon listens."""

import os
from collections.abc import Mapping
from pathlib import Path

from cardd.client.errors import UnreachableError

DEFAULT_SOCKET = "/run/cardd/cardd.sock"


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
