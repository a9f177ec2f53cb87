"""What a step asks the daemon for, and what it wants to be told: words that nothing the daemon says can hold."""

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any, Final

import msgspec

from cardd.base.reasons import Reason
from cardd.base.structs import Struct
from cardd.register.document import Person as RegisterEntry
from cardd.wire import methods
from cardd.wire.activation import ActivationResult
from cardd.wire.event_types import EVENTS
from cardd.wire.events import Event
from cardd.wire.methods import ACTIVATION_START, CARD_READ, Signature
from cardsim.scenario import model
from cardsim.scenario.expected import AtLeast, Events, NoEvent, RegisterHas, Standing, Wanted, Where
from cardsim.scenario.known import meant, near
from cardsim.scenario.model import AnyStep
from cardsim.scenario.plan import Key, Keys, keys_in
from cardsim.scenario.shapes import Members, follow, impossible_value, known_along, members

METHODS: Final[Mapping[str, Signature[Any, Any]]] = MappingProxyType(
    {row.name: row for row in vars(methods).values() if isinstance(row, Signature)}
)
"""All methods of the daemon by their names."""

_REASON: Final = "reason"
_TYPED: Final = re.compile(r"right|wrong|cancel|[0-9]{1,16}")
_AT: Final = re.compile(r"^(?P<problem>.*?)(?: - at `\$(?P<path>[^`]*)`)?$", re.DOTALL)
_KINDS: Final = re.compile(r"`([a-z]+(?: \| [a-z]+)*)`")
_KIND: Final[Mapping[str, str]] = MappingProxyType(
    {
        "array": "a list",
        "bool": "true or false",
        "float": "a number",
        "int": "a whole number",
        "null": "nothing",
        "object": "a section",
        "str": "text",
    }
)
_REGISTER: Final = Members(
    {**{field.name: field.type for field in msgspec.structs.fields(RegisterEntry)}, "activations": Any}
)

_ANSWERS: Final[Mapping[type, object]] = MappingProxyType(
    {
        model.Activate: ACTIVATION_START.result,
        model.Read: CARD_READ.result,
        Standing: ActivationResult,
        RegisterHas: _REGISTER,
    }
)
"""What the answer is to a step or an expectation that always asks for the same."""


class Mistake(Struct, frozen=True):
    """A word of a step that is wrong, by the keys that lead to it, and what would be right."""

    keys: Keys
    problem: str


def mistakes_in(step: AnyStep) -> Iterator[Mistake]:
    """Yield what a step asks for in vain.

    An event that nobody ever tells is awaited in vain, and `no_event` would be content with it.
    """
    yield from _unknown(step)
    yield from _unwanted(step)
    yield from _mistyped(step)
    if isinstance(step, model.Call | model.Activate | model.Read) and step.refused is None:
        yield from _misput(step)
    kinds = told_by(step)
    if isinstance(step, model.Call | model.Activate | model.Read | model.Wait):
        yield from _never(("where",), step.where, kinds)
    if isinstance(step, model.Expect):
        yield from _never(("expect", "where"), step.expect.where, kinds)
    if isinstance(step, model.Expect) and isinstance(step.expect, Standing):
        named = {"state": step.expect.state, "outcome": step.expect.outcome, _REASON: step.expect.reason}
        given: Where = {name: one for name, one in named.items() if not isinstance(one, msgspec.UnsetType)}
        yield from _never(("expect",), given, kinds)


def told_by(step: AnyStep) -> Sequence[object]:
    """Return the kinds of what a step looks at, and of what the name that it gives stands for; none if it has none."""
    if isinstance(step, model.Call):
        return (METHODS[step.call].result,) if step.call in METHODS else (Any,)
    if isinstance(step, model.Wait):
        return tuple(_views([step.wait]))
    if isinstance(step, model.Expect) and isinstance(step.expect, NoEvent | Events | AtLeast):
        return tuple(_views([kind for _, kind in _events(step)]))
    found = _ANSWERS.get(type(step.expect if isinstance(step, model.Expect) else step))
    return () if found is None else (found,)


def _views(kinds: Sequence[str]) -> Iterator[Members]:
    """Yield how events of these types are seen: their own members, those of their data, and their activation."""
    whole = members(Event)
    for kind in kinds:
        for row in EVENTS.values():
            if "{" in kind or fnmatchcase(row.name, kind):
                yield Members({**members(row.data), **whole, "data": row.data, "activation": str | None})


# -- words that are names


def _unknown(step: AnyStep) -> Iterator[Mistake]:
    if isinstance(step, model.Call) and "{" not in step.call and step.call not in METHODS:
        yield Mistake(("call",), f"no method `{step.call}`{meant(step.call, METHODS)}")
    for keys, kind in _events(step):
        if "{" in kind and isinstance(step, model.Expect):
            yield Mistake(keys, f"no names stand in the types of events that are counted: write `{kind}` out")
        elif "{" not in kind and not any(fnmatchcase(known, kind) for known in EVENTS):
            yield Mistake(keys, f"no event `{kind}`{meant(kind, EVENTS)}")


def _events(step: AnyStep) -> Iterator[tuple[Keys, str]]:
    """Yield the events that a step is about, each with the field that names it."""
    if isinstance(step, model.Wait):
        yield ("wait",), step.wait
    expected = step.expect if isinstance(step, model.Expect) else None
    if isinstance(expected, NoEvent):
        yield ("expect", "no_event"), expected.no_event
    if isinstance(expected, Events):
        yield from ((("expect", "events", Key(kind)), kind) for kind in expected.events)
    if isinstance(expected, AtLeast):
        yield from ((("expect", "at_least", Key(kind)), kind) for kind in expected.at_least)
    if isinstance(expected, Events | AtLeast):
        yield from ((("expect", "short", Key(kind)), kind) for kind in expected.short or ())


def _unwanted(step: AnyStep) -> Iterator[Mistake]:
    """Yield reasons that there are not, and what a refusal leaves nothing of."""
    if not isinstance(step, model.Call | model.Activate | model.Read) or step.refused is None:
        return
    if step.refused not in list(Reason):
        yield Mistake(("refused",), f"no reason `{step.refused}`{meant(step.refused, list(Reason))}")
    for key, there in (("as", step.name is not None), ("where", bool(step.where))):
        if there:
            yield Mistake((key,), f"what is refused has no answer: leave out `{key}` or `refused`")


def _mistyped(step: AnyStep) -> Iterator[Mistake]:
    said = {"answer": getattr(step, "answer", None), "answering": getattr(step, "answering", None)}
    for key, one in said.items():
        if isinstance(one, str) and "{" not in one and _TYPED.fullmatch(one) is None:
            close = near(one, ("right", "wrong", "cancel"))
            hint = f"did you mean `{close[0]}`?" if close else "write right, wrong, cancel, or up to 16 digits"
            # what has digits in it may have been meant as a PIN
            told = f"`{one}`" if one.isalpha() else "that"
            yield Mistake((key,), f"nobody can type {told}: {hint}")


# -- parameters


def _misput(step: model.Call | model.Activate | model.Read) -> Iterator[Mistake]:
    """Yield parameters that the method has not, or that are no such thing; those with names in them show later."""
    if isinstance(step, model.Read) or (isinstance(step, model.Call) and step.call not in METHODS):
        return
    if isinstance(step, model.Call):
        kind, key, given = METHODS[step.call].params, "params", step.params
    else:
        built: dict[str, object] = msgspec.to_builtins(step.activate)
        kind, key = ACTIVATION_START.params, "activate"
        given = {name: one for name, one in built.items() if one is not None}
    for keys, path in _paths(given):
        if not any(True for _ in follow(kind, path)):
            before, word, there = known_along((kind,), path)
            at = (key, *keys[:-1], Key(keys[-1]))
            yield Mistake(at, f"no parameter `{word}`{_of(before)}{_meant_there(word, there)}")
            return
    try:
        msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        found = _AT.match(str(error))
        assert found is not None  # noqa: S101 # it matches anything
        keys = keys_in(found["path"] or "")
        said = _value(given, keys)
        if not isinstance(said, str) or "{" not in said:
            yield Mistake((key, *keys), _in_words(found["problem"]))


def _in_words(problem: str) -> str:
    """Say what msgspec says in the words of a scenario's other mistakes."""
    return _KINDS.sub(lambda found: " or ".join(_KIND.get(one, one) for one in found[1].split(" | ")), problem).lower()


def _paths(value: object, keys: Keys = ()) -> Iterator[tuple[Keys, str]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield (*keys, key), ".".join(map(str, (*keys, key)))
        yield from _paths(one, (*keys, key))


def _value(value: object, keys: Keys) -> object:
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int):
            value = value[key]
    return value


# -- paths and values


def _never(keys: Keys, where: Where, kinds: Sequence[object]) -> Iterator[Mistake]:
    """Yield paths that lead to nothing in any of these kinds, and values that nothing there can have."""
    if not kinds:
        return
    for path, wanted in where.items():
        if "{" in path:
            yield Mistake((*keys, Key(path)), "names stand in values, not in paths: `*` is any of a list's entries")
            continue
        there = [one for kind in kinds for one in follow(kind, path)]
        if not there:
            before, word, known = known_along(kinds, path)
            yield Mistake((*keys, Key(path)), f"nothing called `{word}`{_of(before)}{_meant_there(word, known)}")
        elif (wrong := impossible_value(there, wanted)) is not None:
            yield Mistake((*keys, path), f"it is never `{wrong[0]}`{_meant_there(*wrong)}")
        elif path.rpartition(".")[2] == _REASON and (odd := _no_reason(wanted)) is not None:
            yield Mistake((*keys, path), f"no reason `{odd}`{meant(odd, list(Reason))}")


def _no_reason(wanted: Wanted) -> str | None:
    for one in wanted if isinstance(wanted, tuple) else (wanted,):
        if one is not None and "{" not in one and not any(fnmatchcase(reason, one) for reason in Reason):
            return one
    return None


def _of(before: str) -> str:
    return f" in `{before}`" if before else ""


def _meant_there(word: str, known: Sequence[str]) -> str:
    return meant(word, known) if known else ": nothing goes on from there"
