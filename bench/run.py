"""Run every measurement, one after the other, each in a process of its own: `make bench`."""

import subprocess
import sys
from pathlib import Path

MEASUREMENTS = (
    "apdu",
    "apdu_one_core",
    "card",
    "read",
    "one_core",
    "watch",
    "recovery",
    "journal",
    "activation",
    "socket",
    "driver",
    "resident",
)


def main() -> int:
    """Return 0 if all could be made."""
    root = Path(__file__).parent.parent
    codes = [subprocess.run([sys.executable, "-m", f"bench.{name}"], cwd=root).returncode for name in MEASUREMENTS]  # noqa: PLW1510
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
