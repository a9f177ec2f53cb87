"""Collecting: each part for itself, so that what cannot be had keeps nothing else back."""

import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar

import msgspec

from cardd import __version__
from cardd.base.document import DocumentError
from cardd.base.structs import Struct
from cardd.client.blocking import Client
from cardd.client.errors import CallError, ProtocolError, UnreachableError
from cardd.ctl.health import settings
from cardd.ctl.health.examination import examine
from cardd.ctl.support import redact
from cardd.wire.base import Json, Params
from cardd.wire.events import EARLIEST, EventsSubscribeParams
from cardd.wire.methods import READERS_LIST, SESSION_HELLO, SYSTEM_METRICS, SYSTEM_STATUS, Signature
from cardd.wire.session import HelloParams
from cardd.wire.system import NoParams

P = TypeVar("P", bound=Params)
R = TypeVar("R")

EVENTS_MOST: Final = 2000
_LOG_BYTES: Final = 1 << 20
_LOG_LINES: Final = "4000"
_QUIET_S: Final = 1.0
_COMMAND_S: Final = 10.0
_DEBIAN: Final = ("cardd", "pcscd", "libpcsclite1", "libccid", "polkitd")
_PYTHON: Final = ("click", "cryptography", "httpx", "msgspec", "pyscard", "pyyaml", "structlog")


class AbsentError(Exception):
    """A part cannot be had, and why."""


class Sources(Struct, frozen=True):
    """Where to look: the daemon's socket, its configuration, a file with its log (None: the usual places)."""

    socket: str | None
    config: Path | None
    log: Path | None


def parts(sources: Sources) -> Mapping[str, Callable[[], bytes]]:
    """Return how each file of a bundle is made. Each raises AbsentError for what cannot be had."""
    return MappingProxyType(
        {
            "versions.json": versions,
            "doctor.jsonl": lambda: _lines(redact.finding(one) for one in examine(sources.socket, sources.config)),
            "hello.json": lambda: _asked(sources, SESSION_HELLO, HelloParams(client="cardctl bundle"), redact.status),
            "status.json": lambda: _asked(sources, SYSTEM_STATUS, NoParams(), redact.status),
            "readers.json": lambda: _asked(sources, READERS_LIST, NoParams(), redact.readers),
            "metrics.txt": lambda: _metrics(sources),
            "events.jsonl": lambda: _lines(_events(sources)),
            "config.json": lambda: _config(sources),
            "log.txt": lambda: redact.log(_log(sources)),
        }
    )


def versions() -> bytes:
    """Return which programs, libraries and kernel are here."""
    told: dict[str, Json] = {
        "cardctl": __version__,
        "python": sys.version.split()[0],
        "kernel": platform.release(),
        "machine": platform.machine(),
        "system": _system(),
        "packages": {name: _debian(name) for name in _DEBIAN},
        "modules": {name: _python(name) for name in _PYTHON},
    }
    return msgspec.json.format(msgspec.json.encode(told))


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _debian(name: str) -> str | None:
    try:
        return _output("dpkg-query", "-W", "-f", "${Version}", name).decode() or None
    except AbsentError:
        return None


def _python(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _ask(sources: Sources, signature: Signature[P, R], params: P) -> bytes:
    try:
        with Client.connect(sources.socket) as client:
            return client.call_raw(signature.name, params)
    except CallError as error:
        raise AbsentError(error.reason) from None
    except (UnreachableError, ProtocolError, TimeoutError):
        raise AbsentError("the daemon does not answer") from None


def _asked(sources: Sources, signature: Signature[P, R], params: P, redacted: Callable[[Json], Json]) -> bytes:
    told = msgspec.json.decode(_ask(sources, signature, params))
    return msgspec.json.format(msgspec.json.encode(redacted(told)))


def _metrics(sources: Sources) -> bytes:
    raw = _ask(sources, SYSTEM_METRICS, NoParams())
    return msgspec.json.decode(raw, type=SYSTEM_METRICS.result).text.encode()


def _events(sources: Sources) -> Iterator[dict[str, Json]]:
    """Yield the newest events, as anybody may see them who may observe."""
    try:
        with Client.connect(sources.socket, program="cardctl bundle") as client:
            client.subscribe(EventsSubscribeParams(after=_place(client)))
            for number, arrival in enumerate(client.events(_QUIET_S), 1):
                yield redact.event(arrival.event)
                if number == EVENTS_MOST:
                    return
    except CallError as error:
        raise AbsentError(error.reason) from None
    except (UnreachableError, ProtocolError, TimeoutError):
        raise AbsentError("the daemon does not answer") from None


def _place(client: Client) -> str:
    """Return the cursor after which the newest events lie."""
    journal = client.call(SYSTEM_STATUS, NoParams()).get("journal")
    if not isinstance(journal, dict):
        return EARLIEST
    last, evicted = journal.get("last"), journal.get("evicted")
    if not isinstance(last, int) or not isinstance(evicted, int):
        return EARLIEST
    return f"{journal.get('stream')}.{max(last - EVENTS_MOST, evicted)}"


def _config(sources: Sources) -> bytes:
    from cardd.config import load_config  # noqa: PLC0415 - the daemon's, for this part alone

    path = sources.config or settings.DEFAULT
    _contents(path)
    try:
        told = msgspec.to_builtins(load_config(path))
    except DocumentError as error:
        # its sentence may quote what stands there
        raise AbsentError(f"a mistake in line {error.line}, column {error.column}") from None
    return msgspec.json.format(msgspec.json.encode(redact.config(told)))


def _log(sources: Sources) -> bytes:
    if sources.log is None:
        said = _output("journalctl", "--unit", "cardd", "--lines", _LOG_LINES, "--output", "cat", "--no-pager")
        return said[-_LOG_BYTES:]
    return _contents(sources.log)[-_LOG_BYTES:]


def _contents(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AbsentError(f"{path}: {error.strerror or 'cannot be read'}") from None


def _output(*command: str) -> bytes:
    try:
        return subprocess.run(command, capture_output=True, timeout=_COMMAND_S, check=True).stdout  # noqa: S603 - ours
    except (OSError, subprocess.SubprocessError):
        raise AbsentError(f"{command[0]} gives nothing") from None


def _lines(told: Iterator[dict[str, Json]]) -> bytes:
    return b"".join(msgspec.json.encode(one) + b"\n" for one in told)
