#!/usr/bin/env python3
"""Say an example of each method to a whole daemon with virtual cards, and write down what was said.

The page is made from docs/exchanges.json by tools/api_page.py; a test says it all again and compares the shapes.
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support.exchanges import Book, Lines, everything, fit_for_docs, shape, whole_daemon  # noqa: E402

EXCHANGES = ROOT / "docs" / "exchanges.json"


async def _said() -> Book:
    with tempfile.TemporaryDirectory() as scratch:
        async with whole_daemon(Path(scratch)) as desk:
            await everything(desk)
            return fit_for_docs(desk.book)


def _known() -> Book:
    if not EXCHANGES.exists():
        return {}
    book = json.loads(EXCHANGES.read_text(encoding="utf-8"))
    return {method: [said for line in page for said in line.items()] for method, page in book.items()}


def main() -> int:
    """Write docs/exchanges.json; what has its old shape stays as it was, so that a change is seen."""
    known = _known()
    book = {
        method: known[method] if _shape(known.get(method, [])) == _shape(said) else said
        for method, said in asyncio.run(_said()).items()
    }
    # a line a message
    pages = [
        f"{json.dumps(method)}: [\n"
        + ",\n".join(json.dumps({arrow: message}, ensure_ascii=False) for arrow, message in said)
        + "\n]"
        for method, said in book.items()
    ]
    EXCHANGES.write_text("{\n" + ",\n".join(pages) + "\n}\n", encoding="utf-8")
    return 0


def _shape(said: Lines) -> list[tuple[str, object]]:
    return [(arrow, shape(message)) for arrow, message in said]


if __name__ == "__main__":
    sys.exit(main())
