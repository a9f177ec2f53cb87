"""What is well formed in a scenario and cannot be done all the same, found before anything is begun."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from cardd.base.document import DocumentError
from cardd.register.document import RegisterDocument
from cardsim.card.make import make_chip
from cardsim.centre.faults import Fault as CentreFault
from cardsim.persona import PsamPersona, load_persona
from cardsim.scenario import model
from cardsim.scenario.asked import mistakes_in
from cardsim.scenario.expected import RegisterHas, Standing
from cardsim.scenario.hands import wrong_with_cards
from cardsim.scenario.model import AnyStep
from cardsim.scenario.names import Scope, group_of, scopes_of, unknown_name, unnamed
from cardsim.scenario.plan import Key, Keys, Read, planned, readers_of, stations_of, steps_of
from cardsim.scenario.shapes import follow

_OURS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "backend": "choose the ground by --on",
        "state_dir": "a run has a folder of its own",
        "stations": "write `stations` at the scenario's first level",
    }
)
"""Settings of the daemon that follow from the run, and what to do instead."""

_TAKEN: Final = frozenset({"n", "seed", "station"})
"""Names that stand for something by themselves."""

Mistakes = Iterator[tuple[Keys, str]]
"""What is wrong in a step: the keys that lead to it, and what would be right."""


def refuse_what_cannot_be(read: Read) -> None:
    """Raise DocumentError at the first thing that cannot be done anywhere."""
    for check in _OF_ALL:
        check(read)
    for step, scope in scopes_of(read):
        for check_step in _OF_STEPS:
            for keys, problem in check_step(read, step, scope):
                raise read.fault(step.place.where, problem, *keys)


def refuse_the_register(read: Read) -> None:
    """Raise DocumentError where the register of a running daemon is looked at, and nobody says where it is."""
    for step in steps_of(read.scenario.timeline, "running"):
        if isinstance(step, model.Expect) and isinstance(step.expect, RegisterHas):
            problem = "the register of a running daemon is found by its configuration: add --config FILE to the call"
            raise read.fault(step.place.where, problem, "expect", "register")


def refuse_strangers(read: Read, register: RegisterDocument) -> None:
    """Raise DocumentError for a person who is named by a number that nobody of the register has, and never will."""
    numbers = {person.social_security_number for person in register.people}
    for step in steps_of(read.scenario.timeline):
        expected = step.expect if isinstance(step, model.Expect) else None
        if isinstance(expected, RegisterHas):
            said = expected.register
            if "{" not in said and said[:1].isdecimal() and said not in numbers:
                problem = "nobody in the register has that number: name one of `people`, or the number of another one"
                raise read.fault(step.place.where, problem, "expect", "register")


# -- people and places


def _have_what_people_are(read: Read) -> None:
    for name, group in read.scenario.people.items():
        if (group.generate is None) == (not group.cards):
            raise read.fault(f"$.people.{name}", "say either `generate` (invented people) or `cards` (one person's)")
        if group.generate is not None and group.register is not None:
            raise read.fault(f"$.people.{name}.register", "the register knows invented people by itself: remove it")


def _have_somewhere_to_run(read: Read) -> None:
    if not read.scenario.run_on:
        raise read.fault("$.run_on", "name at least one of in-process, pcscd, running, or leave it out")


def _leave_alone_what_is_ours(read: Read) -> None:
    for key, remedy in _OURS.items():
        if key in read.settings:
            raise read.fault("$.settings", f"this is not a scenario's to set: {remedy}", Key(key))
    socket = read.settings.get("socket")
    if isinstance(socket, dict) and "path" in socket:
        problem = "this is not a scenario's to set: a run has a socket of its own, with the `rights` that stand here"
        raise read.fault("$.settings.socket", problem, Key("path"))


def _tell_places_apart(read: Read) -> None:
    if isinstance(read.scenario.stations, int):
        return
    own = len(read.scenario.stations)
    stations: dict[str, str] = {}
    readers: dict[str, str] = {}
    # the back room comes last, where there is one, and has its names from us
    for number, station in enumerate(planned(read.scenario)):
        named = [(station.name, f"$.stations[{number}].name", stations, "stations")]
        for place, reader in enumerate(station.readers):
            named.append((reader.name, f"$.stations[{number}].readers[{place}].name", readers, "readers"))
        for name, where, taken, what in named:
            if name in taken and number < own:
                raise read.fault(where, f"two {what} are called `{name}`: give each a name of its own")
            if name in taken:
                raise read.fault(taken[name], f"`{name}` is what the security module's is called: give another name")
            taken[name] = where


def _know_the_module(read: Read) -> None:
    name = read.scenario.psam
    if name == "none":
        return
    try:
        persona = read.cards.get(name) or load_persona(name)
    except DocumentError as error:
        raise read.fault("$.psam", error.problem) from None
    if not isinstance(persona.card, PsamPersona):
        raise read.fault("$.psam", f"`{name}` is no security module (card: psam) but {persona.card.card}")


def _have_cards_that_can_be_made(read: Read) -> None:
    """Have the first mistake in a persona told that only making its card finds."""
    for persona in read.cards.values():
        make_chip(persona)


# -- steps


def _readers_and_stations(read: Read, step: AnyStep, scope: Scope) -> Mistakes:
    del scope
    readers, stations = readers_of(read.scenario), stations_of(read.scenario)
    known: Mapping[str, tuple[Iterable[str], str]] = {
        "reader": (readers, "reader"),
        "remove": (readers, "reader"),
        "read": (readers, "reader"),
        "at": (stations, "station"),
        "station": (stations, "station"),
        "for_each": (read.scenario.people, "group of people"),
    }
    said: list[tuple[Keys, str, object]] = [((field,), field, getattr(step, field, None)) for field in known]
    # who wants to be refused may well name what is not there
    if isinstance(step, model.Activate | model.Call) and step.refused is None:
        given = step.params if isinstance(step, model.Call) else {}
        key = "params" if isinstance(step, model.Call) else "activate"
        for field in ("reader", "station"):
            value = given.get(field) if isinstance(step, model.Call) else getattr(step.activate, field)
            said.append(((key, field), field, value))
    across = getattr(step, "across", ())
    said += [(("across", number), "at", one) for number, one in enumerate(() if isinstance(across, str) else across)]
    for keys, field, one in said:
        names, what = known[field]
        if isinstance(one, str) and "{" not in one and one not in names:
            yield keys, f"no {what} `{one}`: there are {', '.join(names) or 'none'}"
    for number, one in enumerate(() if isinstance(across, str) else across):
        if one in across[:number]:
            yield ("across", number), f"`{one}` stands here twice, and has one pair of hands: name each station once"


def _somewhere(read: Read, step: AnyStep, scope: Scope) -> Mistakes:
    """Have hands know which reader is meant, where there are several stations or none."""
    if scope.station is not None:
        return
    match step:
        case model.Insert(reader=None) | model.Swap(reader=None) | model.Remove(remove=None) | model.Read(read=None):
            missing = "`reader:`" if isinstance(step, model.Insert | model.Swap) else "a reader"
        case model.Activate() if step.activate.station is None and step.activate.reader is None:
            missing = "`station:`"
        case _:
            return
    stations = ", ".join(stations_of(read.scenario)) or "none with a reader for people's cards"
    verb = str(type(step).__struct_config__.tag)
    yield (verb,), f"at which station? name {missing}, or stand `at:` one; there are {stations}"


def _names(read: Read, step: AnyStep, scope: Scope) -> Mistakes:
    given = getattr(step, "name", None)
    if given in _TAKEN:
        yield ("as",), f"`{{{given}}}` stands for something already: choose another name"
    yield from unnamed(read, step, scope)


def _activations(read: Read, step: AnyStep, scope: Scope) -> Mistakes:
    named: list[tuple[Keys, str]] = []
    if isinstance(step, model.Wait) and step.of is not None:
        named.append((("of",), step.of))
    if isinstance(step, model.Expect) and isinstance(step.expect, Standing):
        named.append((("expect", "activation"), step.expect.activation))
    for keys, name in named:
        kinds = scope.names.get(name)
        if kinds is None:
            yield keys, unknown_name(read, scope, name)
        elif not any(True for kind in kinds for _ in follow(kind, "activation")):
            yield keys, f"`{name}` is no activation: name one with `as:` where it begins (`activate`, or `wait` for it)"


def _people_of_the_register(read: Read, step: AnyStep, scope: Scope) -> Mistakes:
    if not isinstance(step, model.Expect) or not isinstance(step.expect, RegisterHas):
        return
    keys, said = ("expect", "register"), step.expect.register
    if "{" in said or said[:1].isdecimal():
        return
    group = group_of(read, scope, said)
    if group is None:
        yield keys, unknown_name(read, scope, said)
        return
    person = read.scenario.people[group]
    if person.generate is None and person.register is None:
        yield keys, f"nothing is said of what the register holds of `{said}`: give `people.{group}` a `register`"


def _centres_faults(read: Read, step: AnyStep, scope: Scope) -> Mistakes:
    del read, scope
    for number, spec in enumerate(step.centre if isinstance(step, model.CentreFaults) else ()):
        try:
            CentreFault.parse(spec)
        except ValueError as error:
            yield ("centre", number), str(error)


def _questions(read: Read, step: AnyStep, scope: Scope) -> Mistakes:
    del read, scope
    for mistake in mistakes_in(step):
        yield mistake.keys, mistake.problem


_OF_ALL: Final[tuple[Callable[[Read], None], ...]] = (
    _have_what_people_are,
    _have_somewhere_to_run,
    _leave_alone_what_is_ours,
    _tell_places_apart,
    _know_the_module,
    _have_cards_that_can_be_made,
)
_OF_STEPS: Final[tuple[Callable[[Read, AnyStep, Scope], Mistakes], ...]] = (
    _readers_and_stations,
    _somewhere,
    _centres_faults,
    _names,
    wrong_with_cards,
    _activations,
    _people_of_the_register,
    _questions,
)
