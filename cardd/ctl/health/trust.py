"""Who computes with the issuer's keys, and who decides on cards."""

import os
import socket
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from cardd.ctl.health.findings import Finding, found
from cardd.ctl.health.patience import PATIENCE_S, within
from cardd.ctl.health.roles import stations
from cardd.ctl.health.seen import Seen
from cardd.wire.base import Json


def look(seen: Seen) -> Iterator[Finding]:
    """Tell how key service and authority stand: by the daemon's word, else by looking whether they can be reached."""
    if seen.daemon is not None and seen.daemon.status is not None:
        yield from _keys(seen.daemon.part("keys"))
        for station in stations(seen.daemon):
            if stopped := station.get("stopped_keys"):
                keys = ", ".join(map(str, stopped if isinstance(stopped, list) else [stopped]))
                yield found("key_stopped", station=station.get("station"), keys=keys)
        yield from _authority(seen.daemon.part("authority"))
    elif seen.config is not None:
        yield from _keys_away(seen)
    yield from _register(seen)


def _keys(told: Mapping[str, Json]) -> Iterator[Finding]:
    provider, available = told.get("provider"), told.get("available")
    match provider, available:
        case None, _:
            return
        case "none", _:
            yield found("keys_none")
        case "software", _:
            yield found("keys_for_tests")
        case "psam", False:
            yield found("psam_absent")
        case _, False:
            yield found("hsm_away", host=told.get("host"))
        case _, None:
            yield found("keys_unasked", provider=provider)
        case _:
            yield found("keys_right", provider=provider)


def _authority(told: Mapping[str, Json]) -> Iterator[Finding]:
    provider, available = told.get("provider"), told.get("available")
    if provider is None:
        return
    if available is False:
        yield found("register_broken") if provider == "local" else found("authority_away", host=told.get("host"))
    else:
        yield found("authority_right" if available else "authority_unasked", provider=provider)


def _keys_away(seen: Seen) -> Iterator[Finding]:
    """Look, without a daemon, whether what is on the network can be reached."""
    assert seen.config is not None  # noqa: S101 # the caller has looked
    keys, authority = seen.config.keys, seen.config.authority
    if keys.provider == "remote":
        host = _host(keys.url or "")
        yield found("keys_unasked", provider=host) if reaches(keys.url or "") else found("hsm_away", host=host)
    else:
        yield from _keys({"provider": keys.provider, "available": None})
    if authority.provider == "http":
        code = "authority_reached" if reaches(authority.url or "") else "authority_away"
        yield found(code, host=_host(authority.url or ""))


def _register(seen: Seen) -> Iterator[Finding]:
    if seen.config is None or seen.config.authority.provider != "local":
        return
    register = seen.config.authority.register
    if register is None:
        yield found("authority_none_yet")
    elif not os.access(register, os.R_OK):
        yield found("register_absent", path=register)


def reaches(url: str) -> bool:
    """Tell whether somebody listens at an address. Says nothing to him."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)

    def connect() -> bool:
        with socket.create_connection((parts.hostname or "", port), timeout=PATIENCE_S):
            return True

    try:
        return within(PATIENCE_S, connect)
    except (OSError, TimeoutError):
        return False


def _host(url: str) -> str:
    return urlsplit(url).hostname or "?"
