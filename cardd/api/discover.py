"""The contract as a document: OpenRPC 1.3, made from the rows of the methods, the events and the reasons.

Imported when it is first asked for: what makes JSON Schema of types costs a start more than most daemons ever need it.
"""

from collections.abc import Iterator, Mapping
from inspect import cleandoc
from typing import Final

import msgspec

from cardd.api.dispatch import Methods
from cardd.api.method import Row
from cardd.base.reasons import REASONS, Reason
from cardd.wire.base import Json, Params, Result
from cardd.wire.event_types import EVENTS
from cardd.wire.events import EVENT, HEARTBEAT, Event, HeartbeatParams, whole_type
from cardd.wire.rpc import Code, ErrorObject
from cardd.wire.session import API

Schema = dict[str, Json]

OPENRPC: Final = "1.3.2"
REFERENCE: Final = "#/components/schemas/{name}"

_EVERYWHERE: Final = (Reason.INVALID, Reason.BUSY, Reason.INTERNAL)
_CODES: Final = {Reason.INVALID: Code.INVALID_PARAMS, Reason.INTERNAL: Code.INTERNAL}
_INTRODUCTION: Final = """\
A Unix stream socket with one JSON object a line, UTF-8, JSON-RPC 2.0 without batches. Parameters are an object; \
unknown members are ignored. In answers and events more members may come than this document has, and codes that it \
does not have."""


def document(methods: Methods) -> Schema:
    """Return the OpenRPC document of these methods.

    Beyond what OpenRPC has, a method has `x-right` (null: anybody who may connect), and the document `x-events` (what
    each type of event holds in `data`), `x-notifications` (what the daemon sends unasked) and `x-reasons`.
    """
    components = _components(methods)
    return {
        "openrpc": OPENRPC,
        "info": {"title": "cardd", "version": str(API), "description": _INTRODUCTION},
        "methods": [_method(row, components) for row in methods.values()],
        "components": {
            "schemas": dict(sorted(components.items())),
            "errors": {str(reason): _error(reason) for reason in Reason},
        },
        "x-events": {
            row.name: {"type": whole_type(row.name), "summary": row.tells, "data": _reference(row.data.__name__)}
            for row in EVENTS.values()
        },
        "x-notifications": {
            EVENT: {"params": _event_params(), "event": _reference(Event.__name__)},
            HEARTBEAT: {"params": _reference(HeartbeatParams.__name__)},
        },
        "x-reasons": {
            str(reason): {"retry": str(row.retry), "text": {"en": row.en, "zh-CN": row.zh}}
            for reason, row in REASONS.items()
        },
    }


def reasons_of(row: Row[Params, object]) -> list[Reason]:
    """Return every reason that a method may refuse with, in the order of the table of reasons."""
    known = row.signature.reasons | {*_EVERYWHERE} | ({Reason.FORBIDDEN} if row.right else set())
    return [reason for reason in Reason if reason in known]


def _components(methods: Methods) -> dict[str, Schema]:
    """Return the schemas of all messages by name. What the daemon sends has every member, so all are required."""
    sent = (row.signature.result for row in methods.values())
    taken = (row.signature.params for row in methods.values())
    told = (row.data for row in EVENTS.values())
    _, components = msgspec.json.schema_components(
        (*taken, *sent, *told, Event, HeartbeatParams, ErrorObject),
        schema_hook=_anything,
        ref_template=REFERENCE,
    )
    for name in components.keys() & {kind.__name__ for kind in _below(Result)}:
        components[name]["required"] = list(components[name]["properties"])
    for schema in components.values():
        if "description" in schema:
            schema["description"] = cleandoc(schema["description"])
    copy: dict[str, Schema] = msgspec.json.decode(msgspec.json.encode(components))
    return copy


def _anything(kind: type) -> Schema:
    """Return the schema of what may be any JSON value. Raises NotImplementedError for other types."""
    if kind in {object, msgspec.Raw}:
        return {"description": "any JSON value"}
    raise NotImplementedError


def _below(kind: type[object]) -> Iterator[type[object]]:
    below: list[type[object]] = kind.__subclasses__()
    for one in below:
        yield one
        yield from _below(one)


def _method(row: Row[Params, object], components: Mapping[str, Schema]) -> Schema:
    signature = row.signature
    taken = components[signature.params.__name__]
    return {
        "name": row.name,
        "summary": signature.summary,
        "description": taken.get("description", ""),
        "paramStructure": "by-name",
        "params": _descriptors(taken),
        "result": {"name": "result", "schema": _result(signature.result, components)},
        "errors": [{"$ref": f"#/components/errors/{reason}"} for reason in reasons_of(row)],
        "x-right": None if row.right is None else str(row.right),
        "x-params": _reference(signature.params.__name__),
    }


def _descriptors(taken: Schema) -> list[Json]:
    properties, required = taken["properties"], taken.get("required", [])
    assert isinstance(properties, dict)  # noqa: S101 - parameters are objects
    assert isinstance(required, list)  # noqa: S101
    return [
        {"name": name, "required": name in required, "schema": schema}
        # OpenRPC wants those that may be left out to come last
        for name, schema in sorted(properties.items(), key=lambda item: item[0] not in required)
    ]


def _result(kind: type[object], components: Mapping[str, Schema]) -> Schema:
    # this document itself is a plain dictionary
    return _reference(kind.__name__) if kind.__name__ in components else {"type": "object"}


def _event_params() -> Schema:
    return {
        "type": "object",
        "properties": {
            "subscription": {"type": "string"},
            "cursor": {"type": "string"},
            "event": _reference(Event.__name__),
        },
        "required": ["subscription", "cursor", "event"],
    }


def _error(reason: Reason) -> Schema:
    row = REASONS[reason]
    return {
        "code": int(_CODES.get(reason, Code.REFUSED)),
        "message": row.en,
        "data": {"reason": str(reason), "retry": str(row.retry), "text": {"en": row.en, "zh-CN": row.zh}},
    }


def _reference(name: str) -> Schema:
    return {"$ref": REFERENCE.format(name=name)}
