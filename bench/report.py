"""What a measurement leaves behind: a table for people, JSON with the commit for comparisons."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parent.parent
OUT = ROOT / "bench" / "out"


@dataclass(frozen=True, slots=True)
class Row:
    """Times of one way of doing it, in microseconds."""

    name: str
    samples: int
    minimum: float
    median: float
    p95: float
    p99: float

    @classmethod
    def of(cls, name: str, microseconds: Sequence[float]) -> Self:
        """Sum up the samples."""
        ordered = sorted(microseconds)

        def quantile(share: float) -> float:
            return round(ordered[min(int(share * len(ordered)), len(ordered) - 1)], 1)

        return cls(name, len(ordered), round(ordered[0], 1), quantile(0.5), quantile(0.95), quantile(0.99))


def publish(name: str, about: str, rows: Sequence[Row], settings: Mapping[str, int | str]) -> Path:
    """Print the table, write the JSON, return where."""
    width = max(len(row.name) for row in rows)
    print(f"{about} (microseconds)")
    print(f"  {'':{width}}  {'min':>9}  {'median':>9}  {'95 %':>9}  {'99 %':>9}  {'samples':>8}")
    for row in rows:
        numbers = "  ".join(f"{value:9.1f}" for value in (row.minimum, row.median, row.p95, row.p99))
        print(f"  {row.name:{width}}  {numbers}  {row.samples:8d}")
    commit = _git("rev-parse", "HEAD")
    report = {
        "bench": name,
        "about": about,
        "unit": "microseconds",
        "commit": commit,
        "dirty": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cpus": os.cpu_count(), "model": _cpu(), "kernel": platform.release()},
        "python": platform.python_version(),
        "settings": dict(settings),
        "rows": [asdict(row) for row in rows],
    }
    OUT.mkdir(exist_ok=True)
    path = OUT / f"{name}-{commit[:12]}.json"
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(f"  written to {path.relative_to(ROOT)}")
    return path


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
