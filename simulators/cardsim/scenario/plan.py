"""A scenario that was read: its steps in their order, its stations and readers, and where each of its words stands."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import yaml

from cardd.base.document import DocumentError
from cardd.base.structs import Struct
from cardsim.persona import Persona
from cardsim.scenario import model
from cardsim.scenario.model import AnyStep, Scenario

_PART: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_MERGED: Final = "tag:yaml.org,2002:merge"


class Key(str):
    """A key that is meant itself, and not what stands behind it."""

    __slots__ = ()


Keys = tuple[str | int, ...]
"""What leads to a value in a step: keys, which may have dots in them, and places in a list."""


class Read(Struct, frozen=True):
    """A scenario with the file that it stands in, and the cards that its people and `cards` name."""

    path: Path
    scenario: Scenario
    settings: Mapping[str, object]
    cards: Mapping[str, Persona]
    """By `person.alias` and by name; those of invented people are made when it runs."""

    def fault(self, where: str, problem: str, *more: str | int) -> DocumentError:
        """Make the error that names the place of a field (`$.timeline[0].reader`) in the file.

        `more` leads on from there.
        """
        steps = (*keys_in(where), *more)
        node = _found(yaml.compose(self.path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader), steps)
        said = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")
        line, column = (1, 1) if node is None else (node.start_mark.line + 1, node.start_mark.column + 1)
        return DocumentError(self.path, line, column, f"`{said}`: {problem}" if said else problem)


def keys_in(path: str) -> Keys:
    """Return the keys of a path as errors tell it (`$.timeline[0].reader`)."""
    return tuple(name or int(number) for name, number in _PART.findall(path))


def _found(node: yaml.Node | None, steps: tuple[str | int, ...]) -> yaml.Node | None:
    """Return the node at a path, or the last one on the way to it."""
    for step in steps:
        inner = _member(node, step)
        if inner is None:
            return node
        node = inner
    return node


def _member(node: yaml.Node | None, step: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step]  # type: ignore[no-any-return] # a list of nodes
    if not isinstance(node, yaml.MappingNode):
        return None
    for key, value in node.value:
        if key.value == step:
            return key if isinstance(step, Key) else value  # type: ignore[no-any-return] # a list of pairs of nodes
    # what an anchor brings in stands where the anchor is
    merged = [value for key, value in node.value if key.tag == _MERGED]
    return next((found for one in merged if (found := _member(one, step)) is not None), None)


# -- steps


def steps_of(steps: tuple[AnyStep, ...], ground: str | None = None) -> Iterator[AnyStep]:
    """Yield all steps of a timeline, those inside others too; with a ground, those only that are for it."""
    for step in steps:
        yield step
        for inner in inner_of(step, ground):
            yield from steps_of(inner, ground)


def inner_of(step: AnyStep, ground: str | None = None) -> tuple[tuple[AnyStep, ...], ...]:
    """Return the timelines inside a step."""
    match step:
        case model.Repeat() | model.ForEach() | model.At():
            return (step.do,)
        case model.Choose():
            return tuple(choice.do for choice in possible(step, ground))
        case model.Together():
            return step.together
        case _:
            return ()


def possible(step: model.Choose, ground: str | None) -> tuple[model.Choice, ...]:
    """Return the ways that may be chosen on a ground; all of them without one."""
    return tuple(choice for choice in step.choose if ground is None or not choice.grounds or ground in choice.grounds)


# -- stations


def readers_of(scenario: Scenario) -> dict[str, str]:
    """Return the readers' names, with the station of each."""
    return {reader.name: station.name for station in planned(scenario) for reader in station.readers}


def stations_of(scenario: Scenario) -> tuple[str, ...]:
    """Return the names of the stations that have a reader for people's cards."""
    return tuple(
        station.name for station in planned(scenario) if any(reader.role == "counter" for reader in station.readers)
    )


def planned(scenario: Scenario) -> tuple[model.Station, ...]:
    """Return the stations as a list, with one for the security module where none has a reader for it."""
    stations = scenario.stations
    if isinstance(stations, int):
        stations = tuple(
            model.Station(name=f"counter-{number}", readers=(model.ReaderPlan(name=f"reader-{number}"),))
            for number in range(stations)
        )
    has_module = any(reader.role == "sam" for station in stations for reader in station.readers)
    if scenario.psam == "none" or has_module:
        return stations
    module = model.Station(name="back-room", auto=False, readers=(model.ReaderPlan(name="sam-0", role="sam"),))
    return (*stations, module)
