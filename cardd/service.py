"""What systemd wants of a service: readiness, a handed-over socket, no core dumps."""

import contextlib
import os
import resource
import socket
from collections.abc import Mapping

_FIRST_PASSED = 3


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


def passed_socket(environment: Mapping[str, str] = os.environ) -> socket.socket | None:
    """Return the listening socket that the service manager opened for us, if it did (sd_listen_fds)."""
    if environment.get("LISTEN_PID") != str(os.getpid()) or int(environment.get("LISTEN_FDS", "0")) < 1:
        return None
    return socket.socket(fileno=_FIRST_PASSED)


def forbid_core_dumps() -> None:
    """Keep keys, PINs and persons out of files that a crash would write."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
