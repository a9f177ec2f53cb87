"""The smart-card service: whether it answers, in which version, and whether polkit lets cardd in."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from cardd.base.errors import CarddError
from cardd.ctl.health.findings import Finding, found
from cardd.ctl.health.patience import PATIENCE_S, within
from cardd.ctl.health.seen import Seen
from cardd.wire.events import Event, short_type

_CODES: Final = MappingProxyType(
    {
        "pcsc_socket_closed": "pcsc_socket_closed",
        "pcsc_other_version": "pcsc_other_version",
        "pcsc_cards_denied": "pcsc_cards_denied",
        "PCSC_DENIED": "pcsc_denied",
    }
)
_RULES: Final = (
    *("etc/polkit-1/rules.d/*.rules", "usr/share/polkit-1/rules.d/*.rules", "usr/local/share/polkit-1/rules.d/*.rules"),
    *("etc/polkit-1/localauthority/*/*.pkla", "var/lib/polkit-1/localauthority/*/*.pkla"),
)
_ACTION: Final = "org.debian.pcsc-lite."
_POLKIT: Final = ("usr/lib/polkit-1/polkitd", "usr/libexec/polkitd", "usr/lib/policykit-1/polkitd")
_ANEW: Final = frozenset({"card.identified", "pcsc.up", "service.started"})
_LAST_CARD: Final = "the last card was refused (SCardConnect)"
_PACKAGES: Final = ("libpcsclite1", "pcscd")


def look(seen: Seen) -> Iterator[Finding]:
    """Tell how the smart-card service stands: by the daemon's word, else by asking it."""
    backend = _backend(seen)
    if backend not in {None, "pcsc"}:
        told = {} if seen.daemon is None else seen.daemon.part("pcsc")
        away = told.get("state") == "down"
        yield found("pcsc_simulator_away" if away else "pcsc_simulated", backend=backend, detail=told.get("detail"))
        return
    yield _by_the_daemon(seen) if seen.daemon is not None and seen.daemon.part("pcsc") else by_asking()
    yield from packages()
    yield from polkit(Path("/"))


def _backend(seen: Seen) -> str | None:
    if seen.daemon is not None and seen.daemon.part("pcsc"):
        return str(seen.daemon.part("pcsc").get("backend", "pcsc"))
    return None if seen.config is None else str(seen.config.backend)


def _by_the_daemon(seen: Seen) -> Finding:
    assert seen.daemon is not None  # noqa: S101 # the caller has looked
    told = seen.daemon.part("pcsc")
    if told.get("state") == "up":
        up = found("pcsc_up", readers=told.get("readers", "?"))
        return found("pcsc_cards_denied", detail=_LAST_CARD) if _refuses_cards(seen.daemon.recent) else up
    return _absent(str(told.get("code") or told.get("reason")), str(told.get("detail")))


def _refuses_cards(recent: Sequence[Event]) -> bool:
    """Tell whether the last card could not be opened for lack of permission: the service itself is up then."""
    for event in reversed(recent):
        kind = short_type(event.type)
        if kind in _ANEW:
            return False
        if kind == "card.rejected":
            return event.data.get("reason") == "PCSC_DENIED"
    return False


def by_asking() -> Finding:
    """Ask the service itself, as this user."""
    try:
        return found("pcsc_up", readers=len(readers()))
    except TimeoutError:
        return found("pcsc_silent")
    except CarddError as error:
        return _absent(error.text_code or error.reason, error.detail)


def readers() -> tuple[str, ...]:
    """Return the names of the service's readers. Raises CarddError, TimeoutError."""
    return within(PATIENCE_S, _readers)


def _readers() -> tuple[str, ...]:
    # only real readers need PC/SC's library
    from cardd.pcsc.scard import PcscError, Scard  # noqa: PLC0415
    from cardd.pcsc.service import explain_absence  # noqa: PLC0415

    scard = Scard()
    try:
        context = scard.establish_context()
        names = scard.list_readers(context)
        scard.release_context(context)
    except PcscError as error:
        raise explain_absence(error) from None
    return names


def _absent(code: str, detail: str) -> Finding:
    return found(_CODES.get(code, "pcsc_unavailable"), detail=detail)


def packages() -> Iterator[Finding]:
    """Tell where library and service were installed from different releases of pcsc-lite."""
    command = ["dpkg-query", "-W", "-f", "${source:Upstream-Version} ", *_PACKAGES]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True)  # noqa: S603 - ours
    except (OSError, subprocess.SubprocessError):
        # not Debian, or not both of them from packages
        return
    versions = done.stdout.split()
    if len(set(versions)) > 1:
        library, service = versions
        yield found("pcsc_packages_differ", library=library, service=service)


def polkit(root: Path) -> Iterator[Finding]:
    """Tell whether a rule for the smart-card service is installed below a root."""
    if not any((root / place).exists() for place in _POLKIT):
        yield found("polkit_none")
        return
    closed = [place for glob in _RULES if (place := _closed(root, glob)) is not None]
    rule = next((path for glob in _RULES for path in sorted(root.glob(glob)) if _has_rule(path)), None)
    if rule is not None:
        yield found("polkit_rule", path=rule)
    elif closed:
        yield found("polkit_unreadable", path=closed[0])
    else:
        yield found("polkit_rule_absent")


def _closed(root: Path, glob: str) -> Path | None:
    """Return the first directory on the way to the files of a glob that this user may not look into."""
    way = root
    for name in Path(glob).parent.parts:
        way /= name
        # only one below directories that are open can be looked at
        if "*" in name or not way.is_dir():
            return None
        if not os.access(way, os.R_OK | os.X_OK, effective_ids=True):
            return way
    return None


def _has_rule(path: Path) -> bool:
    try:
        return _ACTION in path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
