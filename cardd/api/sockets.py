"""The listening socket: made here with its mode and group, or taken over from whoever started us."""

import contextlib
import errno
import fcntl
import grp
import os
import select
import socket
import stat
import struct
import termios
from pathlib import Path

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Struct

BACKLOG = 1024
"""How many connections may wait to be taken. A client that must not wait itself is turned away beyond that."""
_NO_GROUP = -1
_INT = struct.Struct("i")
_PATH_BYTES = 107
"""What fits sockaddr_un with its final zero."""


class Listening(Struct, frozen=True):
    """A listening socket, and the path that goes when it is closed (none where somebody else made it)."""

    sock: socket.socket
    path: Path | None = None
    inode: int = 0

    def remove(self) -> None:
        """Remove the path, unless somebody else's socket stands there by now."""
        if self.path is not None:
            with contextlib.suppress(OSError):
                if self.path.lstat().st_ino == self.inode:
                    self.path.unlink()


def listen(path: Path, *, mode: int = 0o660, group: str | None = None) -> Listening:
    """Create a listening Unix socket at a path, replacing one that a dead daemon left behind.

    It is made under another name and moved into place, so that nobody can connect before mode and group are right.
    Raises CarddError: BUSY where somebody still answers there, INVALID where the path cannot be used (not a socket,
    too long, no directory, no permission, no such group).
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    _check(path, draft)
    gid = _gid(group)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _place(sock, draft, path, mode, gid)
        return Listening(sock, path, path.lstat().st_ino)
    except OSError as error:
        sock.close()
        raise CarddError(Reason.INVALID, f"the socket {path} cannot be created: {error.strerror}") from None


def adopt(sock: socket.socket) -> Listening:
    """Take over a socket that listens already (socket activation). Raises CarddError(INVALID) for anything else."""
    listening = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if sock.family != socket.AF_UNIX or sock.type != socket.SOCK_STREAM or not listening:
        raise CarddError(Reason.INVALID, "the socket that was handed over is no listening Unix stream socket")
    return Listening(sock)


def _check(path: Path, draft: Path) -> None:
    if len(os.fsencode(draft)) > _PATH_BYTES:
        raise CarddError(Reason.INVALID, f"the socket's path is too long: {path}; choose a shorter one")
    if not path.parent.is_dir():
        raise CarddError(Reason.INVALID, f"there is no directory {path.parent} for the socket; create it")
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise CarddError(Reason.INVALID, f"{path} is there already and is no socket; move it away")
        if _answers(path):
            raise CarddError(Reason.BUSY, f"another daemon answers on {path} already; stop it first")


def _answers(path: Path) -> bool:
    """Tell whether somebody listens. Never waits: a daemon with a full backlog is alive too."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        return probe.connect_ex(os.fspath(path)) not in {errno.ECONNREFUSED, errno.ENOENT}


def _place(sock: socket.socket, draft: Path, path: Path, mode: int, gid: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()
    sock.bind(os.fspath(draft))
    try:
        if gid != _NO_GROUP:
            os.chown(draft, -1, gid)
        draft.chmod(mode)
        sock.listen(BACKLOG)
        draft.replace(path)
    except OSError:
        draft.unlink()
        raise


def _gid(group: str | None) -> int:
    if group is None:
        return _NO_GROUP
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise CarddError(Reason.INVALID, f"this machine has no group `{group}` for the socket; create it") from None


def has_gone(sock: socket.socket) -> bool:
    """Tell a client that has gone from one that is there, or has only closed its sending side."""
    poll = select.poll()
    poll.register(sock.fileno(), 0)
    return any(events & select.POLLHUP for _, events in poll.poll(0))


def left_nothing(sock: socket.socket) -> bool:
    """Tell a client that has gone without a word that is still to be read."""
    return has_gone(sock) and fcntl.ioctl(sock.fileno(), termios.FIONREAD, _INT.pack(0)) == _INT.pack(0)
