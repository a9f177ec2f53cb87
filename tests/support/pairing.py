"""Every two readings together on one card, tried in processes that leave the machine to others."""

import multiprocessing
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Final

from support.choices import TOGETHER, Basis, Pair
from support.trials import alone, together, usual

_NICE: Final = 10
_BATCH: Final = 60

Surprises = Mapping[Pair, tuple[str, ...]]
"""Steps that come out otherwise with two readings though neither of them does that alone."""


def surprises(basis: Basis, pairs: Iterable[Pair]) -> Surprises:
    """Try pairs on a card in this process."""
    found = {pair: _unheard_of(basis, pair) for pair in pairs}
    return {pair: steps for pair, steps in found.items() if steps}


def all_surprises(bases: Iterable[Basis], pairs: Iterable[Pair]) -> Mapping[Basis, Surprises]:
    """Try pairs on several cards in as many processes as there are processors; they give way to everything else."""
    every = list(pairs)
    found: dict[Basis, Surprises] = {}
    with ProcessPoolExecutor(
        mp_context=multiprocessing.get_context("spawn"), initializer=os.nice, initargs=(_NICE,)
    ) as processes:
        for basis in bases:
            # one card's batches follow each other, so that what is tried alone is tried once in each process
            parts = processes.map(partial(surprises, basis), list(_batches(every)))
            found[basis] = {pair: steps for part in parts for pair, steps in part.items()}
    return found


def unknown(found: Surprises) -> Surprises:
    """Leave out what is known to matter together only."""
    return {pair: steps for pair, steps in found.items() if frozenset(pair) not in TOGETHER}


def told(found: Surprises) -> Mapping[str, tuple[str, ...]]:
    """Return them by the readings' names."""
    return {", ".join(map(str, pair)): steps for pair, steps in found.items()}


def _unheard_of(basis: Basis, pair: Pair) -> tuple[str, ...]:
    known = {name for reading in pair for name in alone(basis, reading).differences(usual(basis))}
    return tuple(sorted(set(together(basis, *pair).differences(usual(basis))) - known))


def _batches(pairs: list[Pair]) -> Iterator[list[Pair]]:
    return (pairs[start : start + _BATCH] for start in range(0, len(pairs), _BATCH))
