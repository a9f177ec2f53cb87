"""Writes the table of docs/metrics.md from the rows that the daemon measures by; `--check` tells if it is stale."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cardd.metrics.rows import ROWS, Kind, Row

PAGE: Final = Path(__file__).parents[1] / "docs" / "metrics.md"

_BLOCK: Final = re.compile(r"(?<=<!-- figures -->\n).*?(?=<!-- end -->)", re.DOTALL)


def page(text: str) -> str:
    """Return the page with its table made anew."""
    return _BLOCK.sub(lambda _: "\n".join(_table()) + "\n", text)


def _table() -> Iterator[str]:
    yield "| figure | kind | tells |"
    yield "|---|---|---|"
    for row in ROWS.values():
        yield f"| `{row.sample}{_labels(row)}` | {row.kind} | {row.tells}{_bounds(row)} |"


def _labels(row: Row) -> str:
    return "{" + ",".join(row.labels) + "}" if row.labels else ""


def _bounds(row: Row) -> str:
    if row.kind is not Kind.HISTOGRAM:
        return ""
    return f" ({row.bounds[0]:g} to {row.bounds[-1]:g} s)"


def main() -> int:
    """Write or check the page."""
    text = PAGE.read_text(encoding="utf-8")
    wanted = page(text)
    if text == wanted:
        return 0
    if "--check" in sys.argv[1:]:
        print("docs/metrics.md is not current: run tools/metrics_page.py", file=sys.stderr)
        return 1
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
