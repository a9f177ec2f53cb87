"""The page about activations, which is written from the tables."""

import subprocess
import sys
from pathlib import Path

from cardd.activation.pins import PinPolicy
from cardd.activation.routes import TABLES
from cardd.wire.activation import State

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "activation.md").read_text(encoding="utf-8")


def test_the_page_is_what_the_tables_say() -> None:
    check = subprocess.run(
        [sys.executable, ROOT / "tools" / "activation_doc.py", "--check"], capture_output=True, text=True, check=False
    )
    assert check.returncode == 0, check.stderr


def test_the_page_has_a_diagram_of_every_table_and_a_section_of_every_state() -> None:
    tables = {id(table.moves): table for table in TABLES.values()}.values()
    assert PAGE.count("stateDiagram-v2") == len({frozenset(table.moves) for table in tables})
    for table in tables:
        for state, row in table.moves.items():
            assert f"### {state}\n" in PAGE
            for fact, move in row.items():
                assert f"| `{fact}` | `{move.to}` |" in PAGE
                if move.to not in {state, State.CANCELLED, State.EXPIRED}:
                    assert any(
                        line.startswith(f"    {state} --> {move.to}: ") and str(fact) in line
                        for line in PAGE.splitlines()
                    )


def test_the_page_names_every_pin_policy() -> None:
    assert all(f"| `{policy}` |" in PAGE for policy in PinPolicy)
