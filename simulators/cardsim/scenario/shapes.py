"""What can stand at a path in what the daemon tells: its types say, before anything is told."""

import enum
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

import msgspec

from cardd.base.structs import Struct
from cardsim.scenario.expect import fits, text
from cardsim.scenario.expected import Wanted

_WORDS: Final[Mapping[object, str]] = types.MappingProxyType(
    {bool: "true or false", int: "a whole number", float: "a number"}
)
_NUMBER: Final = re.compile(r"-?[0-9*?]+(\.[0-9*?]+)?([eE][-+]?[0-9]+)?")


class Members(Struct, frozen=True, eq=False):
    """A kind of thing that no type of its own describes: what its members are."""

    members: Mapping[str, object]


def follow(kind: object, path: str) -> Iterator[object]:
    """Yield the kinds of what may stand at a path (see `expect.at`); nothing where nothing can."""
    if not path:
        yield from _options(kind)
        return
    head, _, rest = path.partition(".")
    for option in _options(kind):
        if option is Any:
            yield Any
            continue
        if get_origin(option) in {dict, Mapping}:
            value = get_args(option)[-1]
            # a key may have dots in it
            yield from _options(value)
            yield from follow(value, rest)
            continue
        for name, member in members(option).items():
            if head in {name, "*"}:
                yield from follow(member, rest)
        item = _item(option)
        if item is not None and (head == "*" or head.isdecimal()):
            yield from follow(item, rest)


def known_along(kinds: Sequence[object], path: str) -> tuple[str, str, Sequence[str]]:
    """Return how far a path leads (`data`), the word that leads nowhere, and the words that would go on from there."""
    parts = path.split(".")
    for number in range(len(parts)):
        before = ".".join(parts[:number])
        here = [one for kind in kinds for one in follow(kind, before)]
        if not any(True for one in here for _ in follow(one, parts[number])):
            names = sorted({name for one in here for name in members(one)})
            return before, parts[number], names or (["0", "1", "*"] if any(map(_item, here)) else [])
    return path, "", []


def impossible_value(kinds: Sequence[object], wanted: Wanted) -> tuple[str, Sequence[str]] | None:
    """Return a value that nothing of these kinds can be, and what it could be; None where it may be so."""
    for one in wanted if isinstance(wanted, tuple) else (wanted,):
        if one is not None and "{" not in one and not any(_may_be(kind, one) for kind in kinds):
            return one, sorted({word for kind in kinds for word in _words(kind)})
    return None


def _may_be(kind: object, wanted: str) -> bool:
    choices = _choices(kind)
    if choices:
        return any(fits(choice, wanted) for choice in choices)
    if kind is types.NoneType:
        return False
    if kind in {int, float}:
        return _NUMBER.fullmatch(wanted) is not None
    return True


def _choices(kind: object) -> Sequence[object]:
    if get_origin(kind) is Literal:
        return get_args(kind)
    if isinstance(kind, enum.EnumMeta):
        return [one.value for one in list[enum.Enum](kind)]
    return (True, False) if kind is bool else ()


def _words(kind: object) -> Iterator[str]:
    if kind in _WORDS:
        yield _WORDS[kind]
    else:
        yield from map(text, _choices(kind))


def _options(kind: object) -> Iterator[object]:
    """Yield the kinds that a kind stands for: those of a union, without what says more about them."""
    origin = get_origin(kind)
    if origin is Annotated:
        yield from _options(get_args(kind)[0])
    elif origin in {Union, types.UnionType}:
        for option in get_args(kind):
            yield from _options(option)
    elif kind in {object, Any, msgspec.Raw}:
        yield Any
    elif kind is not msgspec.UnsetType:
        yield kind


def members(kind: object) -> Mapping[str, object]:
    """Return what the members of a kind are, by the names that they have as data; none for what has none."""
    if isinstance(kind, Members):
        return kind.members
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _fields(kind)
    return get_type_hints(kind) if is_typeddict(kind) else {}


@cache
def _fields(kind: type[msgspec.Struct]) -> Mapping[str, object]:
    hints = get_type_hints(kind, include_extras=True)
    members = {field.encode_name: hints[field.name] for field in msgspec.structs.fields(kind)}
    tag = kind.__struct_config__.tag_field
    return {**members, tag: str} if tag is not None else members


def _item(kind: object) -> object | None:
    """Return the kind of a list's items, None for what is no list."""
    if get_origin(kind) in {list, tuple, Sequence, frozenset, set}:
        item: object = get_args(kind)[0]
        return item
    return Any if kind in {list, tuple} else None
