"""One card of each sort that a name in a timeline may stand for: those of people who are yet to be invented, too."""

from collections.abc import Iterator, Sequence
from functools import cache
from random import Random

import msgspec
from msgspec.structs import replace

from cardsim.scenario.model import GenerateSpec, Person
from cardsim.scenario.people import Inventor

_SEED = 1


def sorts_of(spec: GenerateSpec) -> Sequence[Person]:
    """Return somebody of each generation, algorithm and kind of old card that people may be invented with."""
    plain = GenerateSpec(
        count=1,
        profiles=spec.profiles,
        algorithms=spec.algorithms,
        regions=spec.regions,
        old_card=spec.old_card,
    )
    return _sorts(msgspec.json.encode(plain))


@cache
def _sorts(spec: bytes) -> Sequence[Person]:
    return tuple(_each(msgspec.json.decode(spec, type=GenerateSpec)))


def _each(spec: GenerateSpec) -> Iterator[Person]:
    stream, inventor = Random(_SEED), Inventor()
    for profile in spec.profiles:
        for algorithm in spec.algorithms:
            for old in ("cpu", "sle4442", "sle4428") if spec.old_card == "any" else (spec.old_card,):
                try:
                    one = replace(spec, count=1, profiles=(profile,), algorithms=(algorithm,), old_card=old)
                except ValueError:
                    # nobody has that generation with that algorithm there
                    continue
                yield from inventor.invent(one, stream)
