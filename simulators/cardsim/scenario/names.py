"""Names in a timeline: what stands for something at each step, whichever way a run takes to it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from cardd.base.structs import Struct
from cardd.register.document import Person as RegisterEntry
from cardsim.scenario import model
from cardsim.scenario.asked import told_by
from cardsim.scenario.known import meant
from cardsim.scenario.model import AnyStep, Group
from cardsim.scenario.plan import Keys, Read, stations_of
from cardsim.scenario.samples import sorts_of
from cardsim.scenario.shapes import Members, follow, known_along

FILLED: Final = re.compile(r"\{([A-Za-z][A-Za-z0-9_.*-]*)\}")
"""A name in a text."""

_LOOSE: Final = re.compile(r"\{\s*([A-Za-z][A-Za-z0-9_.*-]*)\s*\}")
_ALWAYS: Final = ("seed", "station")
_UNFILLED: Final = frozenset({"place", "do", "choose", "together", "name", "faults", "refused", "expect", "centre"})


class Scope(Struct, frozen=True):
    """What is known at a step: each name with what it may stand for, who a name means, and the station (None: none)."""

    names: Mapping[str, Sequence[object]]
    people: Mapping[str, str]
    """The groups that loops go through, by the name that each person has there."""
    station: str | None
    elsewhere: Mapping[str, int]
    """Names that stood for something inside a loop or side by side, and no more; with the line."""

    def with_names(self, names: Mapping[str, Sequence[object]]) -> "Scope":
        """Return what is known once names stand for something."""
        return msgspec.structs.replace(self, names={**self.names, **names})


def scopes_of(read: Read) -> Iterator[tuple[AnyStep, Scope]]:
    """Yield each step of a scenario with what is known there."""
    stations = stations_of(read.scenario)
    only = stations[0] if len(stations) == 1 else None
    root = Scope({}, {}, only, {})
    found: list[tuple[AnyStep, Scope]] = []
    _follow(read, read.scenario.timeline, root, found)
    yield from found


def _follow(read: Read, steps: tuple[AnyStep, ...], scope: Scope, found: list[tuple[AnyStep, Scope]]) -> Scope:
    """Note what is known at each of some steps, and return what is known after them."""
    for step in steps:
        found.append((step, scope))
        match step:
            case model.Repeat():
                scope = _without(scope, _follow(read, step.do, _rounds(read, step, scope), found), step)
            case model.ForEach():
                scope = _without(scope, _follow(read, step.do, _rounds(read, step, scope), found), step)
            case model.Together():
                for steps_aside in step.together:
                    scope = _without(scope, _follow(read, steps_aside, scope, found), step)
            case model.Choose():
                ends = [_follow(read, choice.do, scope, found) for choice in step.choose]
                scope = _either(scope, ends)
            case model.At():
                after = _follow(read, step.do, msgspec.structs.replace(scope, station=step.at), found)
                scope = msgspec.structs.replace(after, station=scope.station)
            case model.Activate() | model.Read() | model.Call() | model.Wait() if step.name is not None:
                scope = scope.with_names({step.name: told_by(step)})
    return scope


def _rounds(read: Read, step: model.Repeat | model.ForEach, scope: Scope) -> Scope:
    inside = scope.with_names({"n": (int,)})
    if isinstance(step, model.ForEach) and step.for_each in read.scenario.people:
        group = read.scenario.people[step.for_each]
        inside = inside.with_names({step.name: _person(read, step.for_each, group)})
        inside = msgspec.structs.replace(inside, people={**scope.people, step.name: step.for_each})
    if step.across:
        station = "*" if step.across == "all" else step.across[0]
        inside = msgspec.structs.replace(inside, station=station)
    return inside


def _without(before: Scope, after: Scope, step: AnyStep) -> Scope:
    """Return what is known after steps whose names end with them."""
    lost = {name: step.place.line for name in after.names if name not in before.names}
    return msgspec.structs.replace(before, elsewhere={**before.elsewhere, **after.elsewhere, **lost})


def _either(before: Scope, ends: Sequence[Scope]) -> Scope:
    """Return what may be known after one of several ways."""
    names: dict[str, Sequence[object]] = {}
    for end in ends:
        for name, kinds in end.names.items():
            names[name] = tuple(dict.fromkeys((*names.get(name, ()), *kinds)))
    lost = {name: line for end in ends for name, line in end.elsewhere.items()}
    return msgspec.structs.replace(before, names={**before.names, **names}, elsewhere={**before.elsewhere, **lost})


# -- what stands for whom


def _person(read: Read, name: str, group: Group) -> Sequence[object]:
    """Return what a person's name stands for, as texts see it."""
    if group.generate is not None:
        sorts = sorts_of(group.generate)
        cards = [Members({alias: type(card) for alias, card in one.cards.items()}) for one in sorts]
        return tuple(Members({"name": str, "cards": one, "register": RegisterEntry}) for one in cards)
    own = Members({alias: type(read.cards[f"{name}.{alias}"].card) for alias in group.cards})
    entry = type(None) if group.register is None else RegisterEntry
    return (Members({"name": str, "cards": own, "register": entry}),)


def group_of(read: Read, scope: Scope, name: str) -> str | None:
    """Return the group whose person a name means at a step (of a loop, or a group of one), None for nobody's."""
    if name in scope.people:
        return scope.people[name]
    group = read.scenario.people.get(name)
    return name if group is not None and is_one(group) else None


def is_one(group: Group) -> bool:
    """Say whether a group is one person, in long runs and in short ones."""
    return group.generate is None or {group.generate.count, group.generate.short} <= {1, None}


# -- texts


def unnamed(read: Read, step: AnyStep, scope: Scope) -> Iterator[tuple[Keys, str]]:
    """Yield the texts of a step in which a name stands for nothing, and what would."""
    for keys, said in texts_of(step):
        for found in _LOOSE.finditer(said):
            if FILLED.fullmatch(found[0]) is None:
                yield keys, f"`{found[0]}` stands for itself: write `{{{found[1]}}}`"
            elif (problem := _nothing(read, found[1], scope)) is not None:
                yield keys, problem


def _nothing(read: Read, path: str, scope: Scope) -> str | None:
    head, _, rest = path.partition(".")
    if head in _ALWAYS:
        if head == "station" and scope.station is None:
            return "`{station}` stands for nothing here: stand `at:` a station, or go `across:` several"
        kinds: Sequence[object] = (str,)
    elif head in scope.names:
        kinds = scope.names[head]
    elif (group := group_of(read, scope, head)) is not None:
        kinds = _person(read, group, read.scenario.people[group])
    else:
        return unknown_name(read, scope, head)
    if not rest or any(True for kind in kinds for _ in follow(kind, rest)):
        return None
    before, word, there = known_along(kinds, rest)
    has = f"{head}.{before}" if before else head
    return f"`{has}` has no `{word}`{meant(word, there) if there else ': it is one word or number'}"


def unknown_name(read: Read, scope: Scope, name: str) -> str:
    """Say that a name stands for nothing at a step, and what would be right."""
    if name in scope.elsewhere:
        return f"`{name}` stands for something only inside the step of line {scope.elsewhere[name]}, where it is set"
    if name in read.scenario.people:
        return (
            f"`{name}` are several people: go through them with `for_each: {name}`, and name each one as its `as` says"
        )
    known = {*_ALWAYS, *scope.names, *(one for one in read.scenario.people if is_one(read.scenario.people[one]))}
    return f"`{name}` stands for nothing here{meant(name, known)} (a name is given with `as:`, before this step)"


def texts_of(step: AnyStep) -> Iterator[tuple[Keys, str]]:
    """Yield the texts of a step in which names are filled in, with the keys that lead to them."""
    for field in msgspec.structs.fields(step):
        if field.name not in _UNFILLED:
            yield from _texts(getattr(step, field.name), (field.encode_name,))
    if isinstance(step, model.Expect):
        for field in msgspec.structs.fields(step.expect):
            yield from _texts(getattr(step.expect, field.name), ("expect", field.encode_name))


def _texts(value: object, keys: Keys) -> Iterator[tuple[Keys, str]]:
    if isinstance(value, str):
        yield keys, value
    elif isinstance(value, msgspec.Struct):
        yield from _texts(msgspec.to_builtins(value), keys)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _texts(one, (*keys, key))
    elif isinstance(value, list | tuple):
        for number, one in enumerate(value):
            yield from _texts(one, (*keys, number))
