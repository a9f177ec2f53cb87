"""YAML files read strictly: every mistake is told with file, line, column and what to write instead.

Used for the configuration, the register and the simulator's personas. A type (a msgspec Struct that forbids unknown
fields) says what a document may hold; duplicate keys, unknown keys, wrong types and broken YAML are errors.
"""

import enum
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, Literal, NamedTuple, TypeGuard, TypeVar, get_args, get_origin, get_type_hints

import msgspec
import yaml

T = TypeVar("T")

_PATH = re.compile(r"^(?P<problem>.*?)(?: - at (?:`key` in )?`(?P<path>\$[^`]*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*)`$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\[\.\.\.\]")
_MISSING = re.compile(r"Object missing required field `(?P<name>[^`]*)`$")
_KINDS = re.compile(r"(?<=expected )`([a-z |]+)`|(?<=got )`([a-z |]+)`")
_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "array": "a list",
        "bool": "true or false",
        "float": "a number",
        "int": "a whole number",
        "null": "nothing",
        "object": "a section (`key: value`)",
        "str": "text",
    }
)
"""What msgspec's kinds are called in the manual."""


_KEPT_TAGS: Final = frozenset({"tag:yaml.org,2002:null", "tag:yaml.org,2002:merge"})


class _AsWritten(yaml.CSafeLoader):
    """YAML in which 0123, 1E5, 3.0 and 1900-01-01 are the characters that stand there, in quotes or not."""

    yaml_implicit_resolvers = {  # noqa: RUF012 # its base class calls it so
        first: [(tag, pattern) for tag, pattern in resolvers if tag in _KEPT_TAGS]
        for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }


class DocumentError(ValueError):
    """A document does not say what it should: where, and what would be right."""

    def __init__(self, path: Path, line: int, column: int, problem: str) -> None:
        super().__init__(f"{path}:{line}:{column}: {problem}")
        self.path = path
        self.line = line
        self.column = column
        self.problem = problem


def load_document(path: Path, kind: type[T]) -> T:
    """Read a YAML file as `kind`; an empty file is an empty mapping.

    Raises DocumentError (also for a file that cannot be read, at 1:1).
    """
    return parse_document(_read(path), kind, path)


Prepare = Callable[[object, yaml.Node | None], object]
"""Makes of what stands in a document (and where: its nodes) what its type wants. Raises msgspec.ValidationError."""


def as_it_is(value: object, _root: yaml.Node | None) -> object:
    """Prepare nothing."""
    return value


def load_as_written(path: Path, kind: type[T], prepare: Prepare = as_it_is) -> T:
    """Read a YAML file as `kind`, where a text needs no quotes: numbers and dates are made only where `kind` has them.

    Raises DocumentError like `load_document`.
    """
    return _convert(_read(path), path, _AsWritten, partial(msgspec.convert, strict=False), kind, prepare)


def part_as_written(path: Path, where: str, value: object, kind: type[T]) -> T:
    """Read a part of a document that was read as written, which stands at `$.people.jia`, as `kind`.

    Raises DocumentError like `load_document`.
    """
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        node, _ = _walk(yaml.compose(_read(path), Loader=_AsWritten), None, where)
        raise _located(str(error), _Part(value, node, kind, partial(msgspec.convert, strict=False)), path) from None


def part_with_types(path: Path, where: str) -> object:
    """Return a part of a document with the types that YAML gives to what stands there: numbers, dates, truth values."""
    node, _ = _walk(yaml.compose(_read(path), Loader=yaml.CSafeLoader), None, where)
    return yaml.load(yaml.serialize(node), Loader=yaml.CSafeLoader)


def parse_document(text: str, kind: type[T], path: Path) -> T:
    """Read YAML text as `kind`; `path` is only what errors call the text."""
    return _convert(text, path, yaml.CSafeLoader, partial(msgspec.convert, strict=True), kind, as_it_is)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise DocumentError(path, 1, 1, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise DocumentError(path, 1, 1, f"is not UTF-8 (byte {error.start}): save it as UTF-8") from None


class _Part(NamedTuple):
    """A value with the node that it stands in, the type that it should have, and what makes one of the other."""

    value: object
    node: yaml.Node | None
    kind: object
    convert: Callable[..., object]


def _convert(
    text: str,
    path: Path,
    loader: type[yaml.CSafeLoader],
    convert: Callable[..., object],
    kind: type[T],
    prepare: Prepare,
) -> T:
    try:
        root = yaml.compose(text, Loader=loader)
        if root is not None:
            _refuse_duplicates(root, path)
        value = {} if root is None else yaml.load(text, Loader=loader)  # noqa: S506 # safe ones only
    except DocumentError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise DocumentError(path, line, column, f"is no YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DocumentError(path, 1, 1, f"is no YAML: {type(error).__name__}") from None
    try:
        value = prepare(value, root)
        result: T = convert(value, kind)  # type: ignore[assignment] # msgspec makes what it is told to
    except msgspec.ValidationError as error:
        raise _located(str(error), _Part(value, root, kind, convert), path) from None
    return result


def locate(path: Path, where: str, problem: str) -> DocumentError:
    """Make the error for a value that has the right type and is wrong all the same; `where` is a path `$.keys.root`."""
    node, _ = _walk(yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader), None, where)
    return _at(path, node, f"`{where.removeprefix('$.')}`: {problem}")


def written(path: Path, where: str) -> str:
    """Return the letters of a scalar as they stand in the file: `0660` for what YAML reads as 432."""
    node, _ = _walk(yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader), None, where)
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


def _refuse_duplicates(root: yaml.Node, path: Path) -> None:
    for node in _nodes(root, set()):
        if not isinstance(node, yaml.MappingNode):
            continue
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _at(path, key, "a key must be a plain word")
            if key.value in seen:
                raise _at(path, key, f"`{key.value}` stands here twice: keep one of them")
            seen.add(key.value)


def _nodes(node: yaml.Node, visited: set[int]) -> Iterator[yaml.Node]:
    # an alias may lead back to where it came from
    if id(node) in visited:
        return
    visited.add(id(node))
    yield node
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _nodes(key, visited)
            yield from _nodes(value, visited)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _nodes(item, visited)


def _located(message: str, part: _Part, path: Path) -> DocumentError:
    match = _PATH.match(message)
    problem = match["problem"] if match else message
    where = (match["path"] if match else None) or "$"
    before, among, _ = where.partition("[...]")
    if among and (inner := _in_one_of(part, before)) is not None:
        return _located(*inner, path)
    node, at_kind = _walk(part.node, part.kind, where)
    unknown = _UNKNOWN.match(problem)
    if unknown:
        name = unknown["name"]
        return _at(path, _key_node(node, name) or node, f"unknown key `{name}`{_did_you_mean(name, at_kind)}")
    named = where.removeprefix("$").removeprefix(".")
    shown = f"`{named}`: " if named else ""
    _, around = _walk(part.node, part.kind, where.rpartition(".")[0])
    return _at(path, node, f"{shown}{_in_words(problem)}{_remedy(problem, at_kind) or _tags(problem, around)}")


def _in_one_of(part: _Part, where: str) -> tuple[str, _Part] | None:
    """Find the value of a mapping that is wrong, which msgspec does not name, and what is wrong in it."""
    node, kind = _walk(part.node, part.kind, where)
    value = part.value
    for name, index in _STEP.findall(where):
        value = value[name or int(index)] if isinstance(value, dict | list) else None
    kinds = get_args(_concrete(kind))
    if not isinstance(value, dict) or len(kinds) != len(("key", "value")):
        return None
    for key, one in value.items():
        try:
            part.convert(one, kinds[1])
        except msgspec.ValidationError as error:
            return str(error), _Part(one, _walk(node, None, f"$.{key}")[0], kinds[1], part.convert)
    return None


def _is_enum(kind: object) -> TypeGuard[type[enum.Enum]]:
    return isinstance(kind, enum.EnumMeta)


def _remedy(problem: str, kind: object) -> str:
    """Say what would be right where msgspec only says what is wrong."""
    if problem.startswith("Expected `str"):
        return ": write it in quotes"
    if "enum value" in problem:
        choices = _choices(_concrete(kind))
        return f": one of {', '.join(sorted(map(str, choices)))}" if choices else ""
    return ""


def _tags(problem: str, kind: object) -> str:
    """Say which words there are where one is to tell several kinds apart, and is none of them."""
    if not problem.startswith("Invalid value"):
        return ""
    structs = [one for one in get_args(_concrete(kind)) if isinstance(one, type) and issubclass(one, msgspec.Struct)]
    tags = sorted(str(one.__struct_config__.tag) for one in structs)
    return f": one of {', '.join(tags)}" if tags else ""


def _choices(kind: object) -> Sequence[object]:
    """Return the words that a kind allows; of several kinds, those of the ones that allow words."""
    if _is_enum(kind):
        return [member.value for member in kind]
    if get_origin(kind) is Literal:
        return get_args(kind)
    return [choice for option in get_args(kind) for choice in _choices(option)]


def _in_words(problem: str) -> str:
    """Say `a list` for what msgspec calls `array`, and so on: the file is written by people."""
    missing = _MISSING.match(problem)
    if missing:
        return f"`{missing['name']}` is missing"
    problem = problem[:1].lower() + problem[1:]
    return _KINDS.sub(_kinds_in_words, problem)


def _kinds_in_words(kinds: re.Match[str]) -> str:
    return " or ".join(_WORDS.get(name, name) for name in (kinds[1] or kinds[2]).split(" | "))


def _walk(node: yaml.Node | None, kind: object, where: str) -> tuple[yaml.Node | None, object]:
    """Follow msgspec's path through nodes and types as far as both go."""
    for step in _STEP.finditer(where):
        name, index = step.groups()
        if name is not None and isinstance(node, yaml.MappingNode):
            node = next((value for key, value in node.value if key.value == name), node)
            kind = _member(_field_type(kind, name), node)
        elif index is not None and isinstance(node, yaml.SequenceNode) and int(index) < len(node.value):
            node = node.value[int(index)]
            kind = _member(next(iter(get_args(_concrete(kind))), None), node)
        else:
            break
    return node, kind


def _member(kind: object, node: yaml.Node | None) -> object:
    """Return which of several tagged structs a mapping means: by the tag's field, or by a key that is the tag."""
    if not isinstance(node, yaml.MappingNode) or not get_args(_concrete(kind)):
        return kind
    said = {key.value: value.value for key, value in node.value}
    for option in get_args(_concrete(kind)):
        if isinstance(option, type) and issubclass(option, msgspec.Struct) and option.__struct_config__.tag is not None:
            config = option.__struct_config__
            if config.tag in said or said.get(config.tag_field) == config.tag:
                return option
    return kind


def _concrete(kind: object) -> object:
    """Strip `Annotated` and `| None`."""
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    options = [option for option in get_args(kind) if option is not type(None)]
    return options[0] if len(options) == 1 and type(None) in get_args(kind) else kind


def _field_type(kind: object, name: str) -> object:
    kind = _concrete(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        named = next((field.name for field in msgspec.structs.fields(kind) if field.encode_name == name), None)
        # msgspec leaves a name inside a type as it is, where a struct has parts of its own kind
        return None if named is None else get_type_hints(kind, include_extras=True)[named]
    return None


def _did_you_mean(name: str, kind: object) -> str:
    kind = _concrete(kind)
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return ": remove it"
    known = [field.encode_name for field in msgspec.structs.fields(kind) if not field.encode_name.startswith("@")]
    import difflib  # noqa: PLC0415 - for mistakes only, and 0.2 MiB

    close = difflib.get_close_matches(name, known, n=1)
    return f": did you mean `{close[0]}`?" if close else f": known here are {', '.join(sorted(known))}"


def _key_node(node: yaml.Node | None, name: str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((key for key, _ in node.value if key.value == name), None)
    return None


def _at(path: Path, node: yaml.Node | None, problem: str) -> DocumentError:
    if node is None:
        return DocumentError(path, 1, 1, problem)
    return DocumentError(path, node.start_mark.line + 1, node.start_mark.column + 1, problem)
