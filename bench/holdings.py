"""What a process holds of the system and has used of it, read from /proc."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

MEBI: Final = 1024
_PROC: Final = Path("/proc")


@dataclass(frozen=True, slots=True)
class Holdings:
    """One process at one moment; memory in MiB, `private` what no other process shares with it."""

    resident: float
    private: float
    threads: int
    descriptors: int

    @classmethod
    def of(cls, process: int) -> Self:
        """Look at a process."""
        home = _PROC / str(process)
        lines = (home / "smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
        kib = {name: int(value.split()[0]) for name, value in (line.split(":") for line in lines)}
        private = kib["Private_Clean"] + kib["Private_Dirty"]
        threads, descriptors = (len(os.listdir(home / kind)) for kind in ("task", "fd"))  # noqa: PTH208 - counted only
        return cls(kib["Rss"] / MEBI, private / MEBI, threads, descriptors)


def wake_ups(process: int) -> int:
    """Return how often the threads that a process has now have slept and been woken since they began."""
    lines = (line for status in _of_threads(process, "status") for line in status.splitlines())
    return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))


def processor_us(process: int) -> float:
    """Return the microseconds of processor time that the threads that a process has now have used."""
    return sum(int(shown.split()[0]) for shown in _of_threads(process, "schedstat")) / 1000


def _of_threads(process: int, file: str) -> list[str]:
    return [(task / file).read_text(encoding="ascii") for task in (_PROC / str(process) / "task").iterdir()]
