"""Words that are nearly those that are known, and faults that a card can have."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import Final

from cardsim.card.make import make_chip, make_twin
from cardsim.fault_list import AnyFault
from cardsim.faults import Faults, ImpossibleFaultError
from cardsim.persona import Persona

_NEAR: Final = 0.7
"""How much alike two words are of which one may have been meant, from 0 to 1."""


def impossible(faults: Sequence[AnyFault], persona: Persona) -> Iterator[tuple[str, str]]:
    """Yield which of the faults (`[0].at`) a persona's card cannot have, and why."""
    try:
        Faults(make_chip(persona), faults, find_twin=partial(make_twin, persona))
    except ImpossibleFaultError as error:
        yield error.place, str(error)


def near(word: str, known: Iterable[str]) -> list[str]:
    """Return the word that may have been meant, if one is near."""
    import difflib  # noqa: PLC0415 # for mistakes only

    return difflib.get_close_matches(word, known, n=1, cutoff=_NEAR)


def meant(word: str, known: Collection[str]) -> str:
    """Return how a sentence about an unknown word goes on: the word that may have been meant, or all that are known."""
    found = near(word, known)
    return f": did you mean `{found[0]}`?" if found else f": there are {', '.join(sorted(known)) or 'none'}"
