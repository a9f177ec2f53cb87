"""Reads a scenario: its verbs, its people and cards, and what is well formed and cannot be done all the same."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, get_args

import msgspec
import yaml

from cardd.base.document import DocumentError, load_as_written, locate, part_with_types
from cardd.base.structs import Struct
from cardsim.centre.faults import Fault as CentreFault
from cardsim.pcscd import MOST_READERS
from cardsim.persona import Persona, load_persona, persona_in, shipped
from cardsim.scenario import model
from cardsim.scenario.expected import AnyExpectation, CardIs
from cardsim.scenario.known import impossible, near, unknown
from cardsim.scenario.model import AnyStep, Group, Scenario


class Read(Struct, frozen=True):
    """A scenario with the file that it stands in, and the cards that its people and `cards` name."""

    path: Path
    scenario: Scenario
    settings: Mapping[str, object]
    cards: Mapping[str, Persona]
    """By `person.alias` and by name; those of invented people are made when it runs."""

    def fault(self, where: str, problem: str) -> DocumentError:
        """Make the error that names the place of a field (`$.timeline[0].reader`) in the file."""
        return locate(self.path, where, problem)


def read_scenario(path: Path) -> Read:
    """Read a scenario. Raises DocumentError with file, line, column of the first mistake, and what would be right."""
    scenario = load_as_written(path, Scenario, _with_verbs)
    settings = part_with_types(path, "$.settings") if scenario.settings else {}
    assert isinstance(settings, dict)  # noqa: S101 # the model says so
    read = Read(path, scenario, settings, dict(_cards(path, scenario)))
    for check in _CHECKS:
        check(read)
    return read


def steps_of(steps: tuple[AnyStep, ...], ground: str | None = None) -> Iterator[AnyStep]:
    """Yield all steps of a timeline, those inside others too; with a ground, those only that are for it."""
    for step in steps:
        yield step
        for inner in _inner(step, ground):
            yield from steps_of(inner, ground)


def possible(step: model.Choose, ground: str | None) -> tuple[model.Choice, ...]:
    """Return the ways that may be chosen on a ground; all of them without one."""
    return tuple(choice for choice in step.choose if ground is None or not choice.grounds or ground in choice.grounds)


def _inner(step: AnyStep, ground: str | None = None) -> tuple[tuple[AnyStep, ...], ...]:
    match step:
        case model.Repeat() | model.ForEach() | model.At():
            return (step.do,)
        case model.Choose():
            return tuple(choice.do for choice in possible(step, ground))
        case model.Together():
            return step.together
        case _:
            return ()


# -- verbs


def _tags(union: object) -> frozenset[str]:
    return frozenset(str(kind.__struct_config__.tag) for kind in get_args(union))


_VERBS: Final = _tags(AnyStep)
_ASPECTS: Final = _tags(AnyExpectation)
_TIMELINES: Final = frozenset({"timeline", "do"})
_LISTS_OF_TIMELINES: Final = frozenset({"choose", "together"})


def _with_verbs(value: object, root: yaml.Node | None) -> object:
    """Say of each step which verb it has, and where it stands."""
    return _mapping(value, root, "$") if isinstance(value, dict) else value


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


# -- what cannot be done


def _have_what_people_are(read: Read) -> None:
    for name, group in read.scenario.people.items():
        if (group.generate is None) == (not group.cards):
            raise read.fault(f"$.people.{name}", "say either `generate` (invented people) or `cards` (one person's)")


def _name_readers_apart(read: Read) -> None:
    stations = read.scenario.stations
    if isinstance(stations, int):
        return
    names: list[str] = []
    for number, station in enumerate(stations):
        for place, reader in enumerate(station.readers):
            if reader.name in names:
                where = f"$.stations[{number}].readers[{place}].name"
                raise read.fault(where, f"two readers are called `{reader.name}`: give each a name of its own")
            names.append(reader.name)


def _know_the_module(read: Read) -> None:
    if read.scenario.psam == "none":
        return
    try:
        load_persona(read.scenario.psam)
    except DocumentError as error:
        raise read.fault("$.psam", error.problem) from None


def _know_names(read: Read) -> None:
    """Refuse cards, groups, readers and stations that nobody has."""
    readers, stations = readers_of(read.scenario), stations_of(read.scenario)
    for step in steps_of(read.scenario.timeline):
        where = step.place.where
        for field, known, what in (
            ("reader", readers, "reader"),
            ("remove", readers, "reader"),
            ("read", readers, "reader"),
            ("at", stations, "station"),
            ("for_each", read.scenario.people, "group of people"),
        ):
            said = getattr(step, field, None)
            if isinstance(said, str) and "{" not in said and said not in known:
                raise read.fault(f"{where}.{field}", f"no {what} `{said}`: there are {_listed(known)}")
        across = getattr(step, "across", ())
        for station in () if isinstance(across, str) else across:
            if station not in stations:
                raise read.fault(f"{where}.across", f"no station `{station}`: there are {', '.join(stations)}")


def _know_cards(read: Read, steps: tuple[AnyStep, ...], people: Mapping[str, Group]) -> None:
    for step in steps:
        here = people
        if isinstance(step, model.ForEach):
            here = {**people, step.name: read.scenario.people[step.for_each]}
        for verb in ("insert", "swap"):
            said = getattr(step, verb, None)
            if isinstance(said, str) and "{" not in said:
                _know_card(read, f"{step.place.where}.{verb}", said, here)
        if isinstance(step, model.Expect) and isinstance(step.expect, CardIs) and "{" not in step.expect.card:
            _know_card(read, f"{step.place.where}.expect.card", step.expect.card, here)
        for inner in _inner(step):
            _know_cards(read, inner, here)


def _know_card(read: Read, where: str, said: str, people: Mapping[str, Group]) -> None:
    # the names of shipped cards have dots in them: social-jia-3.0
    if said in read.cards or said in shipped():
        return
    person, dot, alias = said.partition(".")
    if not dot or person not in people:
        own = [name for name in read.cards if "." not in name]
        known = ", ".join([*own, *shipped()])
        raise read.fault(where, f"no card and nobody's card `{said}`: cards are {known}; people {_listed(people)}")
    cards = people[person].cards
    if cards and alias not in cards:
        raise read.fault(where, f"`{person}` has no card `{alias}`: there are {_listed(cards)}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _know_the_centres_faults(read: Read) -> None:
    for step in steps_of(read.scenario.timeline):
        if isinstance(step, model.CentreFaults):
            for number, spec in enumerate(step.centre):
                try:
                    CentreFault.parse(spec)
                except ValueError as error:
                    raise read.fault(f"{step.place.where}.centre[{number}]", str(error)) from None


def _know_what_is_asked_for(read: Read) -> None:
    for step in steps_of(read.scenario.timeline):
        for field, problem in unknown(step):
            raise read.fault(f"{step.place.where}.{field}", problem)


def _know_what_can_be_wrong(read: Read) -> None:
    """Refuse faults that a card cannot have; those of invented people's cards show when they are put in."""
    for step in steps_of(read.scenario.timeline):
        if isinstance(step, model.Insert | model.Swap) and step.faults:
            said = step.insert if isinstance(step, model.Insert) else step.swap
            persona = read.cards.get(said) or (load_persona(said) if said in shipped() else None)
            for field, problem in impossible(step.faults, persona) if persona is not None else ():
                raise read.fault(f"{step.place.where}.faults{field}", problem)


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


_CHECKS: Final[tuple[Callable[[Read], None], ...]] = (
    _have_what_people_are,
    _name_readers_apart,
    _know_the_module,
    _know_names,
    lambda read: _know_cards(read, read.scenario.timeline, read.scenario.people),
    _know_the_centres_faults,
    _know_what_is_asked_for,
    _know_what_can_be_wrong,
)

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
