"""The centre's interface as an OpenAPI document, made from the messages that both sides really use."""

import json
from collections.abc import Mapping
from functools import cache
from inspect import cleandoc
from typing import Final

import msgspec
import yaml

from cardd.wire.authority import REFUSALS
from cardd.wire.centre import OPERATIONS, Operation

Schema = dict[str, object]

_REFERENCE: Final = "#/components/schemas/{name}"
_INTRODUCTION: Final = """\
What cardd asks a card centre. Every question is a POST of one JSON object over TLS, where the centre may ask for a
client certificate.

`question` names the question: one that came to no answer is sent again under the same name, and the answer repeats it.
`key` names the activation and is repeated too; an answer with other names counts as none. What is activated is done
once for each key, and a password is counted once for each question's name: whatever is sent twice is done once, and
answered as the first time. Unknown members are to be ignored on both sides.

Status 200 is an answer. 408, 425, 429 and every 5xx mean: ask again. Any other status means that the centre does not
take the question, and asking again is no use. A refusal of an activation is an answer, not a status.
"""


@cache
def openapi() -> str:
    """Return the document, YAML."""
    text: str = yaml.dump(_document(), Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=120)
    return text


class _Dumper(yaml.SafeDumper):
    """Writes paragraphs as they are read."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def _document() -> Schema:
    questions = [row.question for row in OPERATIONS.values()]
    answers = [row.answer for row in OPERATIONS.values()]
    references, components = msgspec.json.schema_components([*questions, *answers], ref_template=_REFERENCE)
    own = {_last(reference): _reply_name(row) for reference, row in _pairs(references[len(questions) :])}
    components = {own.get(name, name): schema for name, schema in components.items()}
    for row in OPERATIONS.values():
        components[_reply_name(row)]["title"] = _reply_name(row)
        components[row.question.__name__] = _with_key(row, components[row.question.__name__])
    for schema in components.values():
        if "description" in schema:
            schema["description"] = cleandoc(schema["description"])
    components["Reason"] |= {
        "title": "Reason",
        "description": "Why the centre refuses.",
        "enum": sorted(str(reason) for reason in REFUSALS),
    }
    components["Error"] = {
        "title": "Error",
        "type": "object",
        "properties": {"error": {"type": "string"}},
        "required": ["error"],
    }
    document: Schema = {
        "openapi": "3.1.0",
        "info": {
            "title": "A social security card centre, as cardd asks it",
            "version": "1",
            "description": _INTRODUCTION,
        },
        "paths": {row.path: {"post": _operation(row)} for row in OPERATIONS.values()},
        "components": {"schemas": dict(sorted(components.items()))},
    }
    # without shared parts, YAML needs no anchors
    copy: Schema = json.loads(json.dumps(document))
    return copy


def _pairs(references: tuple[Mapping[str, str], ...] | list[Mapping[str, str]]) -> list[tuple[str, Operation[object]]]:
    return [(reference["$ref"], row) for reference, row in zip(references, OPERATIONS.values(), strict=True)]


def _last(reference: str) -> str:
    return reference.rsplit("/", 1)[-1]


def _reply_name(row: Operation[object]) -> str:
    return row.question.__name__.replace("Question", "Reply")


def _with_key(row: Operation[object], schema: Mapping[str, object]) -> Schema:
    """Say of a question that belongs to an activation that it must bear a key."""
    required = schema["required"]
    assert isinstance(required, list)  # noqa: S101 # every question has at least its name
    return {**schema, "required": [*required, *(["key"] if row.keyed else [])]}


def _operation(row: Operation[object]) -> Schema:
    return {
        "operationId": row.name,
        "summary": row.summary,
        "requestBody": {"required": True, "content": _json(row.question.__name__)},
        "responses": {
            "200": {"description": "The answer.", "content": _json(_reply_name(row))},
            "4XX": {"description": "The question is not taken.", "content": _json("Error")},
            "5XX": {"description": "Ask again.", "content": _json("Error")},
        },
    }


def _json(name: str) -> Schema:
    return {"application/json": {"schema": {"$ref": _REFERENCE.format(name=name)}}}
