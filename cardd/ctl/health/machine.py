"""The machine below: its clock, its disk, its SQLite."""

import ctypes
import os
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cardd.ctl.health.findings import Finding, found
from cardd.ctl.health.seen import Seen
from cardd.journal.glance import newest_time
from cardd.journal.lapse import LONGEST_STEP

SQLITE_LEAST: Final = "3.37.0"
"""The first with STRICT tables, which the journal is made of."""

_BEHIND_S: Final = 2.0
_A_DAY_S: Final = 86400
_MB: Final = 1_000_000
_SMALL_MB: Final = 100
_TIME_ERROR: Final = 5
_TIMEX_BYTES: Final = 512
"""adjtimex(2): what it returns where nothing disciplines the clock, and room enough for what it fills in."""


def look(seen: Seen) -> Iterator[Finding]:
    """Tell how the clock stands to the world and to the journal, which SQLite there is, and how much room."""
    yield from clock(seen, datetime.now(UTC), synchronised=is_synchronised())
    version = sqlite3.sqlite_version if seen.daemon is None else seen.daemon.part("versions").get("sqlite")
    if isinstance(version, str):
        yield sqlite(version)
    yield from disk(seen)


def is_synchronised() -> bool:
    """Tell whether something keeps the kernel's clock right (adjtimex(2), which changes nothing here)."""
    room = ctypes.create_string_buffer(_TIMEX_BYTES)
    return int(ctypes.CDLL(None).adjtimex(room)) not in {_TIME_ERROR, -1}


def clock(seen: Seen, now: datetime, *, synchronised: bool) -> Iterator[Finding]:
    """Tell whether the clock can be trusted."""
    yield found("clock_right" if synchronised else "clock_unsynchronised")
    newest = _newest(seen)
    behind = 0.0 if newest is None else (newest - now).total_seconds()
    if behind > _BEHIND_S:
        yield found("clock_behind", seconds=round(behind))
    told = {} if seen.daemon is None else seen.daemon.part("clock")
    set_by = told.get("set_by_s")
    if isinstance(set_by, int) and abs(set_by) >= _A_DAY_S:
        yield found("clock_set", days=f"{set_by / _A_DAY_S:+.1f}")
    if told.get("ahead"):
        yield found("clock_ahead", days=LONGEST_STEP.days)


def _newest(seen: Seen) -> datetime | None:
    """Return when the journal's newest event happened: by the daemon's word, else by what is stored."""
    if seen.daemon is not None:
        return seen.daemon.newest
    return None if seen.config is None else newest_time(Path(seen.config.state_dir))


def sqlite(version: str) -> Finding:
    """Tell whether an SQLite has what the journal needs."""
    old = _numbers(version) < _numbers(SQLITE_LEAST)
    return found("sqlite_old" if old else "sqlite_right", version=version, least=SQLITE_LEAST)


def disk(seen: Seen) -> Iterator[Finding]:
    """Tell how much room the journal has: by the daemon's word, and by its directory where that is known."""
    space = None if seen.daemon is None else seen.daemon.part("journal").get("space")
    if space not in {None, "ample"}:
        yield found("disk_full", space=space)
        return
    if seen.config is None:
        if space is not None:
            yield found("disk_enough")
        return
    path = Path(seen.config.state_dir)
    try:
        state = os.statvfs(path)
    except FileNotFoundError:
        yield found("state_absent", path=path)
        return
    except OSError:
        yield found("state_unreadable", path=path)
        return
    free = state.f_bavail * state.f_frsize // _MB
    least = max(_SMALL_MB, 2 * seen.config.journal.reserve_mb)
    yield found("disk_small" if free < least else "disk_right", path=path, free_mb=free)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
