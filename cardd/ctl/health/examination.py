"""One look at everything, from the way to the daemon down to the disk."""

from collections.abc import Callable, Iterator
from pathlib import Path

from cardd.client.address import socket_path
from cardd.ctl.health import machine, pcsc, roles, settings, trust, way
from cardd.ctl.health.findings import Finding, Level, found
from cardd.ctl.health.seen import Seen


def examine(socket: str | None, config: Path | None) -> Iterator[Finding]:
    """Yield what is found, as it is found. Neither the daemon nor the configuration has to be there."""
    path = socket_path(socket)
    read, about_config = settings.read(config, path)
    yield about_config
    if read is not None and socket is None and config is not None:
        path = Path(read.socket.path)
    daemon, about_way = way.reach(path)
    yield from about_way
    seen = Seen(daemon, read)
    about_service = list(_looked_at("pcsc", pcsc.look, seen))
    yield from about_service
    # a service that has just not answered is not asked again which readers it has
    if daemon is not None or all(one.level is not Level.WRONG for one in about_service):
        yield from _looked_at("roles", roles.look, seen)
    yield from _looked_at("trust", trust.look, seen)
    yield from _looked_at("machine", machine.look, seen)


def _looked_at(part: str, look: Callable[[Seen], Iterator[Finding]], seen: Seen) -> Iterator[Finding]:
    """Yield what a look finds; one that fails keeps nothing else back."""
    try:
        yield from look(seen)
    except Exception as error:  # noqa: BLE001 - whatever it is, the rest is looked at
        yield found("look_failed", part=part, error=type(error).__name__)
