"""Run every measurement, one after the other, each in a process of its own: `make bench`.

Arguments name some of them instead of all. At the end stands one table of all figures, which is written as one JSON as
well. With `CARDD_BENCH_SHORT` in the environment each only shows that it can be made.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence

from bench.report import ROOT, Goal, Quotient, judged, out, spread

MEASUREMENTS = (
    "apdu",
    "apdu_one_core",
    "card",
    "read",
    "driver",
    "one_core",
    "whole",
    "watch",
    "recovery",
    "journal",
    "activation",
    "handoffs",
    "socket",
    "resident",
    "soak",
)


def main(names: Sequence[str]) -> int:
    """Return 0 if all could be made."""
    began = time.time()
    words = ([sys.executable, "-m", f"bench.{name}"] for name in names or MEASUREMENTS)
    codes = [subprocess.run(each, cwd=ROOT).returncode for each in words]  # noqa: PLW1510
    summary(began)
    print(f"{(time.time() - began) / 60:.1f} minutes")
    return max(codes)


def summary(began: float) -> None:
    """Print the figures that were written since then, and write them together."""
    files = sorted((path for path in out().glob("*.json") if path.stat().st_mtime >= began), key=os.path.getmtime)
    reports = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    if not reports:
        return
    print("\nAll figures: the median, and the least and the greatest round")
    for report in reports:
        print(f"{report['bench']} (load {report['load']['before']} to {report['load']['after']})")
        for quotient in report["quotients"]:
            print(f"  {spread(Quotient(**quotient))}")
        for goal in report["goals"]:
            print(f"  {spread(Goal(**goal))}, {judged(Goal(**goal))}")
    short = "-short" if any(report.get("short") for report in reports) else ""
    path = out() / f"all-{reports[-1]['commit'][:12]}{short}.json"
    path.write_text(json.dumps(reports, indent=2) + "\n", encoding="utf-8")
    print(f"  written to {os.path.relpath(path, ROOT)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
