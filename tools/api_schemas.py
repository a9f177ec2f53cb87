"""The contract's documents for programs: OpenRPC, and a JSON Schema file for whatever goes over the line."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from cardd.api.discover import Schema, document
from cardd.api.methods import METHODS
from cardd.wire.base import Json

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = re.compile(r'"#/components/schemas/([^"]+)"')


def openrpc() -> Schema:
    """Return the document that `rpc.discover` gives."""
    return document(METHODS)


def files(whole: Schema) -> Iterator[tuple[Path, str]]:
    """Yield every file of docs that is made of the document, with what has to stand in it."""
    yield Path("openrpc.json"), _text(whole)
    for place, reference in _messages(whole):
        yield Path("schemas") / f"{place}.json", _text(standing_alone(whole, reference))


def standing_alone(whole: Schema, schema: Mapping[str, Json]) -> Schema:
    """Return a schema of the document with all that it refers to in it."""
    components = whole["components"]
    assert isinstance(components, dict)
    known = components["schemas"]
    assert isinstance(known, dict)
    needed: dict[str, Json] = {}
    left = _named(schema)
    while left:
        name = left.pop()
        if name not in needed:
            needed[name] = known[name]
            left += _named(known[name])
    text = json.dumps({"$schema": _DIALECT, **schema, "$defs": dict(sorted(needed.items()))})
    alone: Schema = json.loads(_REFERENCE.sub(r'"#/$defs/\1"', text))
    return alone


def _messages(whole: Schema) -> Iterator[tuple[str, Schema]]:
    for method in _members(whole["methods"]):
        result = method["result"]
        assert isinstance(result, dict)
        yield f"methods/{method['name']}.params", _schema(method["x-params"])
        yield f"methods/{method['name']}.result", _schema(result["schema"])
    events = whole["x-events"]
    assert isinstance(events, dict)
    for name, row in events.items():
        yield f"events/{name}", _schema(_schema(row)["data"])
    yield "event", {"$ref": "#/components/schemas/Event"}
    yield "error", {"$ref": "#/components/schemas/ErrorObject"}


def _members(value: Json) -> Iterator[Schema]:
    assert isinstance(value, list)
    yield from map(_schema, value)


def _schema(value: Json) -> Schema:
    assert isinstance(value, dict)
    return value


def _named(schema: object) -> list[str]:
    return _REFERENCE.findall(json.dumps(schema))


def _text(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"
