"""Who is at the other end of a Unix socket, by the kernel's word at the time of the connection."""

import asyncio
import os
import pwd
import socket
import struct

from cardd.base.structs import Struct

# linux/socket.h; Python has no name for it
_SO_PEERGROUPS = 59
_UCRED = struct.Struct("3i")
_GID = struct.Struct("I")
_GROUPS_BYTES = 1024


class Peer(Struct, frozen=True):
    """A process, its user and all of its groups."""

    pid: int
    uid: int
    groups: frozenset[int]
    user: str


async def peer_of(sock: socket.socket) -> Peer:
    """Ask the kernel who connected. Names are looked up beside the loop: a directory service may be slow."""
    pid, uid, gid = _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    user = await asyncio.to_thread(_user_name, uid)
    try:
        raw = sock.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _GROUPS_BYTES)
    except OSError:
        # more groups than Python's buffer holds: those of the user database
        groups = frozenset(await asyncio.to_thread(os.getgrouplist, user, gid))
    else:
        groups = frozenset(value for (value,) in _GID.iter_unpack(raw))
    return Peer(pid, uid, groups | {gid}, user)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
