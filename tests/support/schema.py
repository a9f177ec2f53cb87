"""As much of JSON Schema as the centre's document uses, read without the library that wrote it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}
KNOWN: Final = {
    *("title", "description", "default", "type", "properties", "required", "additionalProperties", "enum", "anyOf"),
    *("$ref", "minLength", "maxLength", "minimum", "maximum", "pattern"),
}


def faults(document: Mapping[str, Any], schema: Mapping[str, Any], value: Any, where: str = "$") -> Iterator[str]:
    """Yield what in a value does not follow a schema of the document, and where."""
    unknown = set(schema) - KNOWN
    assert not unknown, f"the checker does not know {unknown}"
    if "$ref" in schema:
        yield from faults(document, _found(document, schema["$ref"]), value, where)
        return
    if "anyOf" in schema:
        if all([*faults(document, one, value, where)] for one in schema["anyOf"]):
            yield f"{where}: none of the alternatives"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: not among {schema['enum']}"
    if "type" in schema:
        fitting = isinstance(value, TYPES[schema["type"]]) and (schema["type"] == "boolean") == isinstance(value, bool)
        if not fitting:
            yield f"{where}: no {schema['type']}"
            return
    yield from _sizes(schema, value, where)
    if isinstance(value, dict):
        yield from _members(document, schema, value, where)


def _sizes(schema: Mapping[str, Any], value: Any, where: str) -> Iterator[str]:
    size = len(value) if isinstance(value, str) else value
    low, high = ("minLength", "maxLength") if isinstance(value, str) else ("minimum", "maximum")
    if low in schema and size < schema[low]:
        yield f"{where}: less than {schema[low]}"
    if high in schema and size > schema[high]:
        yield f"{where}: more than {schema[high]}"
    if "pattern" in schema and re.search(schema["pattern"], value) is None:
        yield f"{where}: not {schema['pattern']}"


def _members(
    document: Mapping[str, Any], schema: Mapping[str, Any], value: Mapping[str, Any], where: str
) -> Iterator[str]:
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{where}.{name}: missing"
    for name, member in value.items():
        known = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
        if isinstance(known, dict):
            yield from faults(document, known, member, f"{where}.{name}")
        elif not known:
            yield f"{where}.{name}: not in the document"


def _found(document: Mapping[str, Any], reference: str) -> Mapping[str, Any]:
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    assert isinstance(found, dict)
    return found
