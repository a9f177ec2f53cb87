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

from support.exchanges import Book, everything, fit_for_docs, whole_daemon  # noqa: E402

EXCHANGES = ROOT / "docs" / "exchanges.json"


async def _said() -> Book:
    with tempfile.TemporaryDirectory() as scratch:
        async with whole_daemon(Path(scratch)) as desk:
            await everything(desk)
            return fit_for_docs(desk.book)


def main() -> int:
    """Write docs/exchanges.json."""
    book = {method: [{arrow: message} for arrow, message in said] for method, said in asyncio.run(_said()).items()}
    # a line a message, so that a change is seen
    pages = [
        f"{json.dumps(method)}: [\n" + ",\n".join(json.dumps(one, ensure_ascii=False) for one in said) + "\n]"
        for method, said in book.items()
    ]
    EXCHANGES.write_text("{\n" + ",\n".join(pages) + "\n}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
