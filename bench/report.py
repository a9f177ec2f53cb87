"""What a measurement leaves behind: a table for people, JSON with the commit for comparisons."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from statistics import median
from typing import Self

ROOT = Path(__file__).parent.parent
SHORT = "CARDD_BENCH_SHORT"
"""The variable of the environment that asks for a run that shows no more than that it can be made."""
PLACE = "CARDD_BENCH_OUT"
"""The variable that says where the JSON goes, instead of bench/out."""

_LOAD_BEFORE = os.getloadavg()[0]

Settings = Mapping[str, int | str]
"""What was measured how often."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one way of doing it takes, in microseconds where nothing else is said."""

    name: str
    samples: int
    minimum: float
    median: float
    p95: float
    p99: float

    @classmethod
    def of(cls, name: str, samples: Sequence[float]) -> Self:
        """Sum up the samples."""
        ordered = sorted(samples)

        def quantile(share: float) -> float:
            return round(ordered[min(int(share * len(ordered)), len(ordered) - 1)], 1)

        return cls(name, len(ordered), round(ordered[0], 1), quantile(0.5), quantile(0.95), quantile(0.99))


class Bound(StrEnum):
    """On which side of a goal the good figures are."""

    AT_LEAST = "at least"
    AT_MOST = "at most"


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure with a goal: one value a round; the median counts, the least and the greatest show the noise."""

    name: str
    bound: Bound
    wanted: float
    median: float
    least: float
    greatest: float
    reached: bool

    @classmethod
    def of(cls, name: str, bound: Bound, wanted: float, rounds: Sequence[float]) -> Self:
        """Sum up the rounds."""
        middle = median(rounds)
        reached = middle >= wanted if bound is Bound.AT_LEAST else middle <= wanted
        return cls(name, bound, wanted, _short(middle), _short(min(rounds)), _short(max(rounds)), reached)


@dataclass(frozen=True, slots=True)
class Quotient:
    """One way in parts of another, and whatever else has no goal: one value a round, as with a goal."""

    name: str
    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, name: str, rounds: Sequence[float]) -> Self:
        """Sum up the rounds."""
        return cls(name, _short(median(rounds)), _short(min(rounds)), _short(max(rounds)))


def amount(whole: int, *, short: int) -> int:
    """Return how often something is done: `short` in a run that shows no more than that it can be made."""
    return short if os.environ.get(SHORT) else whole


def out() -> Path:
    """Return the directory of the JSON, which is made if it is not there."""
    directory = Path(os.environ.get(PLACE) or ROOT / "bench" / "out")
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def rates(microseconds: Sequence[float]) -> list[float]:
    """Return how many a second fit, for each duration."""
    return [1e6 / value for value in microseconds]


def ratios(ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]]) -> list[float]:
    """Return our median in parts of theirs, round by round."""
    return [median(mine) / median(other) for mine, other in zip(ours, theirs, strict=True)]


def publish(
    name: str,
    about: str,
    rows: Sequence[Row],
    settings: Settings,
    goals: Sequence[Goal] = (),
    quotients: Sequence[Quotient] = (),
    *,
    unit: str = "microseconds",
) -> Path:
    """Print the table and the goals, write the JSON, return where."""
    width = max(len(row.name) for row in rows)
    print(f"{about} ({unit})")
    print(f"  {'':{width}}  {'min':>9}  {'median':>9}  {'95 %':>9}  {'99 %':>9}  {'samples':>8}")
    for row in rows:
        numbers = "  ".join(f"{value:9.1f}" for value in (row.minimum, row.median, row.p95, row.p99))
        print(f"  {row.name:{width}}  {numbers}  {row.samples:8d}")
    for quotient in quotients:
        print(f"  {spread(quotient)}")
    for goal in goals:
        print(f"  {spread(goal)}, {judged(goal)}")
    commit = _git("rev-parse", "HEAD")
    report = {
        "bench": name,
        "about": about,
        "unit": unit,
        "commit": commit,
        "short": bool(os.environ.get(SHORT)),
        "dirty": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "kernel": platform.release()},
        "load": {"before": round(_LOAD_BEFORE, 2), "after": round(os.getloadavg()[0], 2)},
        "python": platform.python_version(),
        "settings": dict(settings),
        "rows": [asdict(row) for row in rows],
        "quotients": [asdict(quotient) for quotient in quotients],
        "goals": [asdict(goal) for goal in goals],
    }
    # what only shows that it can be made takes no place of what was measured
    path = out() / f"{name}-{commit[:12]}{'-short' if report['short'] else ''}.json"
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(f"  written to {os.path.relpath(path, ROOT)}", flush=True)
    return path


def spread(figure: Goal | Quotient) -> str:
    """Write a figure with its least and greatest round."""
    return f"{figure.name}: {figure.median:,} ({figure.least:,} to {figure.greatest:,})"


def judged(goal: Goal) -> str:
    return f"goal {goal.bound} {goal.wanted:,}: {'reached' if goal.reached else 'NOT REACHED'}"


def _short(value: float) -> float:
    """Leave three digits after the point of a ratio, none of a rate."""
    return round(value, 3) if value < 1000 else round(value)


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
