"""Which cells of a matrix are tried when: a sample with each row and each column always, all at night."""

from collections.abc import Collection, Iterator
from itertools import product
from typing import Any

import pytest

MODES = ("exclusive", "shared")
"""How the daemon opens cards."""

_SHIFT = 5


def cells(columns: Collection[str], rows: Collection[str]) -> list[Any]:
    """Return every (column, row, mode) as parameters of a test; those outside the sample are marked night."""
    sample = set(_sample(list(columns), list(rows)))
    return [
        pytest.param(*cell, id="-".join(cell), marks=() if cell in sample else pytest.mark.night)
        for cell in product(columns, rows, MODES)
    ]


def _sample(columns: list[str], rows: list[str]) -> Iterator[tuple[str, str, str]]:
    """Go down a diagonal, beginning anew where one side is longer; every second cell is in the other mode.

    It begins where neighbours meet the states in which a card is read.
    """
    for index in range(max(len(columns), len(rows))):
        yield columns[index % len(columns)], rows[(index + _SHIFT) % len(rows)], MODES[(index + 1) % len(MODES)]
