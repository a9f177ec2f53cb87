"""The configuration, as far as the user who asks may read it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cardd.base.document import DocumentError
from cardd.ctl.health.findings import Finding, found

if TYPE_CHECKING:
    from cardd.config import Config

DEFAULT: Final = Path("/etc/cardd/cardd.yaml")


def read(named: Path | None, socket: Path) -> tuple["Config | None", Finding]:
    """Read the configuration that was named, else the usual one if it is that of the daemon on this socket."""
    # asked for here alone: what it brings along is the daemon's
    from cardd.config import load_config  # noqa: PLC0415

    path = named or DEFAULT
    if not os.access(path, os.R_OK):
        return None, found("config_unreadable" if _is_there(path) else "config_absent", path=path)
    try:
        config = load_config(path)
    except DocumentError as error:
        return None, found("config_wrong", path=path, detail=error)
    if named is None and os.path.realpath(config.socket.path) != os.path.realpath(socket):
        return None, found("config_foreign", path=path, theirs=config.socket.path)
    return config, found("config_right", path=path)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        return True
