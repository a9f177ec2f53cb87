"""Reads a scenario: its verbs, its people and cards, and where it can be done."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final, get_args

import msgspec
import yaml

from cardd.base.document import DocumentError, load_as_written, locate, part_with_types
from cardsim.pcscd import MOST_READERS
from cardsim.persona import Persona, load_persona, persona_in
from cardsim.scenario import model
from cardsim.scenario.expected import AnyExpectation
from cardsim.scenario.known import near
from cardsim.scenario.model import AnyStep, Scenario
from cardsim.scenario.plan import Read, readers_of, steps_of
from cardsim.scenario.refusals import refuse_what_cannot_be

__all__ = ["Read", "fit_for", "read_scenario"]


def read_scenario(path: Path) -> Read:
    """Read a scenario. Raises DocumentError with file, line, column of the first mistake, and what would be right."""
    scenario = load_as_written(path, Scenario, partial(_with_verbs, path))
    settings = part_with_types(path, "$.settings") if scenario.settings else {}
    assert isinstance(settings, dict)  # noqa: S101 # the model says so
    read = Read(path, scenario, settings, dict(_cards(path, scenario)))
    refuse_what_cannot_be(read)
    return read


# -- verbs


def _tags(union: object) -> frozenset[str]:
    return frozenset(str(kind.__struct_config__.tag) for kind in get_args(union))


_VERBS: Final = _tags(AnyStep)
_ASPECTS: Final = _tags(AnyExpectation)
_TIMELINES: Final = frozenset({"timeline", "do"})
_LISTS_OF_TIMELINES: Final = frozenset({"choose", "together"})


def _with_verbs(path: Path, value: object, root: yaml.Node | None) -> object:
    """Say of each step which verb it has, and where it stands."""
    if root is not None:
        _refuse_circles(path, root, [])
    return _mapping(value, root, "$") if isinstance(value, dict) else value


def _refuse_circles(path: Path, node: yaml.Node, around: list[yaml.Node]) -> None:
    """Refuse a part that is inside itself, by an anchor and its alias."""
    if any(one is node for one in around):
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        raise DocumentError(path, line, column, "this is inside itself, by its anchor: take the alias `*…` out of it")
    inner = node.value if isinstance(node, yaml.SequenceNode) else []
    if isinstance(node, yaml.MappingNode):
        inner = [value for _, value in node.value]
    for one in inner:
        _refuse_circles(path, one, [*around, node])


def _mapping(value: dict[str, object], node: yaml.Node | None, where: str) -> dict[str, object]:
    nodes = {key.value: one for key, one in node.value} if isinstance(node, yaml.MappingNode) else {}
    made = dict(value)
    for name in _TIMELINES & value.keys():
        made[name] = _timeline(value[name], nodes.get(name), f"{where}.{name}")
    return made


def _timeline(value: object, node: yaml.Node | None, where: str) -> object:
    if not isinstance(value, list) or not isinstance(node, yaml.SequenceNode):
        return value
    return [_step(one, at, f"{where}[{index}]") for index, (one, at) in enumerate(zip(value, node.value, strict=True))]


def _step(value: object, node: yaml.Node, where: str) -> object:
    if not isinstance(value, dict) or not isinstance(node, yaml.MappingNode):
        return value
    made = _mapping(value, node, where)
    nodes = {key.value: one for key, one in node.value}
    made["@verb"] = verb = _only(value, _VERBS, where, "step")
    mark = node.start_mark
    made["@place"] = {"line": mark.line + 1, "column": mark.column + 1, "where": where}
    if verb == "choose" and isinstance(value[verb], list):
        made[verb] = [
            _mapping(one, at, f"{where}.{verb}[{index}]") if isinstance(one, dict) else one
            for index, (one, at) in enumerate(zip(value[verb], nodes[verb].value, strict=True))
        ]
    if verb == "together" and isinstance(value[verb], list):
        made[verb] = [
            _timeline(one, at, f"{where}.{verb}[{index}]")
            for index, (one, at) in enumerate(zip(value[verb], nodes[verb].value, strict=True))
        ]
    if verb == "expect" and isinstance(value[verb], dict):
        expected = value[verb]
        made[verb] = {**expected, "@verb": _only(expected, _ASPECTS, f"{where}.{verb}", "expectation")}
    return made


def _only(value: dict[str, object], words: frozenset[str], where: str, what: str) -> str:
    """Return the one word of a mapping that says what it is."""
    found = sorted(words & value.keys())
    if len(found) == 1:
        return found[0]
    if found:
        problem = f"`{found[0]}` and `{found[1]}` are two in one {what}: begin another one with `- {found[1]}:`"
    else:
        hint = next((f": did you mean `{close}` for `{key}`?" for key in value for close in near(key, words)), "")
        known = ", ".join(f"`{word}`" for word in sorted(words))
        problem = f"none of these keys says which {what} this is{hint or f': it is known by one of {known}'}"
    raise msgspec.ValidationError(f"{problem} - at `{where}`")


# -- cards


def _cards(path: Path, scenario: Scenario) -> Iterator[tuple[str, Persona]]:
    for name, source in scenario.cards.items():
        yield name, _persona(path, f"$.cards.{name}", name, source)
    for group, people in scenario.people.items():
        for alias, source in people.cards.items():
            name = f"{group}.{alias}"
            yield name, _persona(path, f"$.people.{group}.cards.{alias}", name, source)


def _persona(path: Path, where: str, name: str, source: model.PersonaSource) -> Persona:
    if isinstance(source, str):
        beside = path.parent / source
        try:
            return load_persona(beside if beside.is_file() else source)
        except DocumentError as error:
            if error.path == beside or beside.is_file():
                raise
            raise locate(path, where, error.problem) from None
    return persona_in(path, where, name, source)


# -- where it can be done

_ALL: Final = frozenset({"kill", "stop", "continue", "start", "restart"})
_POWERS: Final[Mapping[str, Mapping[str, frozenset[str]]]] = MappingProxyType(
    {
        "in-process": MappingProxyType(dict.fromkeys(("daemon", "centre"), frozenset({"kill", "start", "restart"}))),
        "pcscd": MappingProxyType(dict.fromkeys(("pcscd", "daemon", "centre"), _ALL)),
        "running": MappingProxyType({"pcscd": _ALL}),
    }
)
"""What a ground can do to the machines of a counter."""


def fit_for(read: Read, ground: str) -> None:
    """Raise DocumentError where a scenario says what cannot be done on a ground, naming those where it can."""
    scenario = read.scenario
    if ground not in scenario.run_on:
        raise read.fault("$.run_on", f"it is not to be run {ground}: choose --on {' or '.join(scenario.run_on)}")
    if ground == "pcscd" and len(readers_of(scenario)) > MOST_READERS:
        raise read.fault("$.stations", f"a pcscd holds {MOST_READERS} readers, with the security module's")
    for step in steps_of(scenario.timeline, ground):
        if isinstance(step, model.Kill | model.Stop | model.Continue | model.Start | model.Restart):
            verb = str(type(step).__struct_config__.tag)
            _refuse_power(read, ground, verb, step)
        if isinstance(step, model.CentreFaults) and not scenario.centre:
            raise read.fault(f"{step.place.where}.centre", "needs a centre on the network: write `centre: true` above")
        if ground == "running" and isinstance(step, model.CentreFaults):
            raise read.fault(f"{step.place.where}.centre", "the centre of a running daemon takes no orders from here")
    if ground == "running" and (scenario.settings or scenario.centre):
        where = "$.settings" if scenario.settings else "$.centre"
        raise read.fault(where, "a daemon that already runs keeps its own: choose --on in-process or pcscd")


def _refuse_power(
    read: Read, ground: str, verb: str, step: model.Kill | model.Stop | model.Continue | model.Start | model.Restart
) -> None:
    where = f"{step.place.where}.{verb}"
    if step.machine == "centre" and not read.scenario.centre:
        raise read.fault(where, "needs a centre on the network: write `centre: true` above")
    if verb not in _POWERS[ground].get(step.machine, ()):
        able = [name for name, powers in _POWERS.items() if verb in powers.get(step.machine, ())]
        raise read.fault(where, f"cannot be done {ground}: choose --on {' or '.join(able)}")
