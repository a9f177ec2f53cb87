"""The way to the daemon: its socket, its answer, and what the user who asks may do there."""

import errno
import grp
import os
import pwd
import socket
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from cardd import __version__
from cardd.client.blocking import Client
from cardd.client.errors import CallError, ProtocolError, UnreachableError
from cardd.ctl.health.findings import Finding, found
from cardd.ctl.health.patience import PATIENCE_S, within
from cardd.ctl.health.seen import Daemon
from cardd.wire.events import Event, EventsSubscribeParams
from cardd.wire.methods import READERS_LIST, SESSION_HELLO, SYSTEM_STATUS
from cardd.wire.session import HelloParams, HelloResult
from cardd.wire.system import NoParams

RECENT: Final = 200
"""So many of the last events are looked at."""
_RECENT_S: Final = 1.0
_AWAY: Final = MappingProxyType({errno.ENOENT: "daemon_absent", errno.ECONNREFUSED: "daemon_gone"})
_OBSERVE: Final = "observe"
_ROOT: Final = 0
"""A group that nobody is to be put into for the sake of a socket."""


def reach(path: Path) -> tuple[Daemon | None, list[Finding]]:
    """Ask the daemon on a socket about itself; tell what stands in the way."""
    hindrance = _hindrance(path)
    if hindrance in _AWAY:
        return None, [found(_AWAY[hindrance], path=path)]
    if hindrance in {errno.EACCES, errno.EPERM}:
        return None, [_closed(path)]
    if hindrance:
        return None, [found("daemon_unusable", path=path, detail=os.strerror(hindrance))]
    try:
        daemon = within(PATIENCE_S, lambda: _ask(path))
    except (TimeoutError, UnreachableError):
        return None, [found("daemon_silent", path=path)]
    except (CallError, ProtocolError) as error:
        return None, [found("daemon_foreign", path=path, detail=error)]
    return daemon, list(_about(daemon, path))


def _hindrance(path: Path) -> int:
    """Return the errno with which opening the socket fails, 0 if it can be opened. Never waits."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(os.fspath(path))
        except OSError as error:
            # a full queue is somebody's who answers late, or never: asking will tell
            return 0 if error.errno == errno.EAGAIN else error.errno or errno.EINVAL
    return 0


def _ask(path: Path) -> Daemon:
    with Client.connect(path) as client:
        hello = client.call(SESSION_HELLO, HelloParams(client="cardctl doctor"))
        if _OBSERVE not in hello.rights:
            return Daemon(hello)
        status = client.call(SYSTEM_STATUS, NoParams())
        readers = client.call(READERS_LIST, NoParams()).readers
        return Daemon(hello, status, readers, _recent(client, hello, status.get("journal")))


def _recent(client: Client, hello: HelloResult, journal: object) -> list[Event]:
    """Return the last events, as many as a look needs."""
    last, evicted = (journal.get(name) if isinstance(journal, dict) else None for name in ("last", "evicted"))
    if not isinstance(last, int) or not isinstance(evicted, int) or last == evicted:
        return []
    events: list[Event] = []
    try:
        client.subscribe(EventsSubscribeParams(after=f"{hello.stream}.{max(last - RECENT, evicted)}"))
    except CallError:
        return []
    for arrival in client.events(_RECENT_S):
        events.append(arrival.event)
        if int(arrival.event.sequence) >= last:
            break
    return events


def _about(daemon: Daemon, path: Path) -> Iterator[Finding]:
    version, rights = daemon.hello.version, daemon.hello.rights
    yield found("daemon_answers", version=version, path=path)
    if version != __version__:
        yield found("daemon_of_other_version", version=version, own=__version__)
    yield found("group_right", user=_user())
    if not rights:
        yield found("rights_none", user=_user())
        return
    yield found("rights_some", user=_user(), rights=", ".join(rights))
    if _OBSERVE not in rights:
        yield found("rights_too_few", user=_user())


def _closed(path: Path) -> Finding:
    """Say why this user may not open the socket."""
    user = _user()
    state = _state_of(path) or _state_of(path.parent)
    if state is None:
        return found("daemon_unusable", path=path, detail=os.strerror(errno.EACCES))
    group = _name_of_group(state.st_gid)
    for_group = bool(state.st_mode & stat.S_IWGRP) and stat.S_ISSOCK(state.st_mode)
    known: Mapping[str, object] = {"user": user, "path": path, "group": group}
    if not for_group or state.st_gid in os.getgroups():
        mode = stat.filemode(state.st_mode)
        return found("group_closed", **known, mode=mode, owner=_name_of_user(state.st_uid))
    if state.st_gid == _ROOT:
        return found("group_of_root", **known)
    member = state.st_gid in os.getgrouplist(user, os.getgid())
    return found("group_not_yet" if member else "group_missing", **known)


def _state_of(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _user() -> str:
    return _name_of_user(os.geteuid())


def _name_of_user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _name_of_group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
