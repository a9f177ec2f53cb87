"""Which cells of a matrix are tried when: a sample with each row and each column always, all at night."""

from collections.abc import Collection, Iterator, Mapping
from itertools import product
from types import MappingProxyType
from typing import Any, Final

import pytest

MODES = ("exclusive", "shared")
"""How the daemon opens cards."""

_SHIFT = 5


NOTHING_LEFT_OUT: Final[Mapping[tuple[str, str], str]] = MappingProxyType({})


def cells(
    columns: Collection[str], rows: Collection[str], left_out: Mapping[tuple[str, str], str] = NOTHING_LEFT_OUT
) -> list[Any]:
    """Return every (column, row, mode) as parameters of a test; those outside the sample are marked night.

    `left_out` names each (column, row) that would show nothing, and says why. Raises ValueError where there is no such
    cell, or the sample needs it.
    """
    sample = set(_sample(list(columns), list(rows)))
    if not left_out.keys() <= set(product(columns, rows)) - {cell[:2] for cell in sample}:
        raise ValueError(f"these cannot be left out: {sorted(left_out)}")
    return [
        pytest.param(*cell, id="-".join(cell), marks=() if cell in sample else pytest.mark.night)
        for cell in product(columns, rows, MODES)
        if cell[:2] not in left_out
    ]


def _sample(columns: list[str], rows: list[str]) -> Iterator[tuple[str, str, str]]:
    """Go down a diagonal, beginning anew where one side is longer; every second cell is in the other mode.

    It begins where neighbours meet the states in which a card is read.
    """
    for index in range(max(len(columns), len(rows))):
        yield columns[index % len(columns)], rows[(index + _SHIFT) % len(rows)], MODES[(index + 1) % len(MODES)]
