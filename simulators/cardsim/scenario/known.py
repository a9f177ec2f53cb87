"""What a step speaks of that is there or is not: events, methods of the daemon, faults that a card can have."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from cardd.wire import methods
from cardd.wire.event_types import EVENTS
from cardd.wire.methods import Signature
from cardsim.card.make import make_chip, make_twin
from cardsim.fault_list import AnyFault
from cardsim.faults import Faults, ImpossibleFaultError
from cardsim.persona import Persona
from cardsim.scenario import model
from cardsim.scenario.expected import AtLeast, Events, NoEvent
from cardsim.scenario.model import AnyStep

METHODS: Final[Mapping[str, Signature[Any, Any]]] = MappingProxyType(
    {row.name: row for row in vars(methods).values() if isinstance(row, Signature)}
)
"""All methods of the daemon by their names."""


def unknown(step: AnyStep) -> Iterator[tuple[str, str]]:
    """Yield each field of a step that names what is not there, and what would be right.

    An event that nobody ever tells is awaited in vain, and `no_event` would be content with it.
    """
    if isinstance(step, model.Call) and "{" not in step.call and step.call not in METHODS:
        yield "call", f"no method `{step.call}`{_meant(step.call, METHODS)}"
    for field, kind in _events(step):
        if "{" not in kind and not any(fnmatchcase(known, kind) for known in EVENTS):
            yield field, f"no event `{kind}`{_meant(kind, EVENTS)}"


def impossible(faults: Sequence[AnyFault], persona: Persona) -> Iterator[tuple[str, str]]:
    """Yield which of the faults (`[0].at`) a persona's card cannot have, and why."""
    try:
        Faults(make_chip(persona), faults, find_twin=partial(make_twin, persona))
    except ImpossibleFaultError as error:
        yield error.place, str(error)


def near(word: str, known: Iterable[str]) -> list[str]:
    """Return the word that may have been meant, if one is near."""
    import difflib  # noqa: PLC0415 # for mistakes only

    return difflib.get_close_matches(word, known, n=1)


def _events(step: AnyStep) -> Iterator[tuple[str, str]]:
    """Yield the events that a step is about, each with the field that names it."""
    if isinstance(step, model.Wait):
        yield "wait", step.wait
    expected = step.expect if isinstance(step, model.Expect) else None
    if isinstance(expected, NoEvent):
        yield "expect.no_event", expected.no_event
    if isinstance(expected, Events):
        yield from (("expect.events", kind) for kind in expected.events)
    if isinstance(expected, AtLeast):
        yield from (("expect.at_least", kind) for kind in expected.at_least)
    if isinstance(expected, Events | AtLeast):
        yield from (("expect.short", kind) for kind in expected.short or ())


def _meant(word: str, known: Iterable[str]) -> str:
    found = near(word, known)
    return f": did you mean `{found[0]}`?" if found else f": there are {', '.join(sorted(known))}"
