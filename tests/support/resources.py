"""What a process holds of the system, read from /proc, and when it is at rest."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

T = TypeVar("T")

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Resources:
    """One process at one moment; memory in KiB."""

    memory: int
    threads: int
    descriptors: int
    sockets: int

    @classmethod
    def of(cls, process: int) -> Self:
        fields = dict(line.split(":", 1) for line in (_PROC / str(process) / "status").read_text().splitlines())
        kinds = [_target(link) for link in (_PROC / str(process) / "fd").iterdir()]
        sockets = sum(kind.startswith("socket:") for kind in kinds)
        return cls(int(fields["VmRSS"].split()[0]), int(fields["Threads"]), len(kinds), sockets)


def steady(look: Callable[[], T], still_s: float, patience_s: float = 30.0) -> T:
    """Look again and again until what is seen has stayed the same for so long, and return it."""
    end = time.monotonic() + patience_s
    seen, since = look(), time.monotonic()
    while time.monotonic() - since < still_s:
        assert time.monotonic() < end, f"never at rest: {seen}"
        time.sleep(0.02)
        now = look()
        if now != seen:
            seen, since = now, time.monotonic()
    return seen


def wake_ups(process: int) -> int:
    """Return how often the threads that a process has now have slept and been woken since they began."""
    total = 0
    for task in (_PROC / str(process) / "task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                total += int(line.split()[1])
    return total


def _target(link: Path) -> str:
    try:
        return os.readlink(link)  # noqa: PTH115 - `socket:[…]` is no path
    except FileNotFoundError:
        return ""
