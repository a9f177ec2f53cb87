"""`rpc.discover`: one OpenRPC document, made from the rows that the daemon works by."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from support.counter import counter, line
from support.json_schema import references

from cardd.api.discover import document
from cardd.api.methods import METHODS
from cardd.api.rights import Rights
from cardd.base.reasons import REASONS
from cardd.wire.event_types import EVENTS

_ANY = {"^x-": True}
_NAMED = {"type": "string", "minLength": 1}
_SCHEMA = {"type": ["object", "boolean"]}
_REFERENCE = {"type": "object", "required": ["$ref"], "properties": {"$ref": {"type": "string"}}}
_DESCRIPTOR = {
    "type": "object",
    "required": ["name", "schema"],
    "properties": {
        "name": _NAMED,
        "summary": {"type": "string"},
        "description": {"type": "string"},
        "required": {"type": "boolean"},
        "schema": _SCHEMA,
    },
    "patternProperties": _ANY,
    "additionalProperties": False,
}
OPENRPC: dict[str, Any] = {
    "type": "object",
    "required": ["openrpc", "info", "methods"],
    "properties": {
        "openrpc": {"pattern": r"^1\.3\.[0-9]+$"},
        "info": {
            "type": "object",
            "required": ["title", "version"],
            "properties": {name: {"type": "string"} for name in ("title", "version", "description")},
            "additionalProperties": False,
        },
        "methods": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "params", "result"],
                "properties": {
                    "name": _NAMED,
                    "summary": {"type": "string"},
                    "description": {"type": "string"},
                    "paramStructure": {"enum": ["by-name", "by-position", "either"]},
                    "params": {"type": "array", "items": _DESCRIPTOR},
                    "result": _DESCRIPTOR,
                    "errors": {"type": "array", "items": _REFERENCE},
                },
                "patternProperties": _ANY,
                "additionalProperties": False,
            },
        },
        "components": {
            "type": "object",
            "properties": {
                "schemas": {"type": "object", "additionalProperties": _SCHEMA},
                "errors": {
                    "type": "object",
                    "additionalProperties": {
                        "type": "object",
                        "required": ["code", "message"],
                        "properties": {"code": {"type": "integer"}, "message": {"type": "string"}, "data": {}},
                        "additionalProperties": False,
                    },
                },
            },
            "additionalProperties": False,
        },
    },
    "patternProperties": _ANY,
    "additionalProperties": False,
}
"""What the OpenRPC specification 1.3 asks of the parts that this document has."""


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return document(METHODS)


@pytest.mark.asyncio
async def test_anybody_who_may_connect_is_told_the_whole_contract_in_one_line(
    tmp_path: Path, made: Mapping[str, Any]
) -> None:
    async with counter(tmp_path, rights=Rights({}, {})) as desk, line(desk.path) as client:
        first, second = [await client.result("rpc.discover") for _ in range(2)]
        assert first == second == json.loads(json.dumps(made))
        assert (await client.result("session.hello"))["rights"] == []


def test_the_document_is_openrpc(made: Mapping[str, Any]) -> None:
    assert [error.json_path for error in Draft202012Validator(OPENRPC).iter_errors(made)] == []


def test_the_document_has_every_method_event_and_reason_once(made: Mapping[str, Any]) -> None:
    assert [row["name"] for row in made["methods"]] == list(METHODS)
    assert {row["name"]: row["x-right"] for row in made["methods"]} == {
        name: None if row.right is None else str(row.right) for name, row in METHODS.items()
    }
    assert made["x-events"].keys() == EVENTS.keys()
    assert made["x-reasons"].keys() == made["components"]["errors"].keys() == {str(reason) for reason in REASONS}


def test_the_document_refers_to_all_that_it_has_and_to_nothing_else(made: Mapping[str, Any]) -> None:
    defined = {f"#/components/{kind}/{name}" for kind, named in made["components"].items() for name in named}
    only_told = {"#/components/schemas/ErrorObject"}
    never_refused = {name for name in defined if "/errors/" in name} - set(references(made))
    assert set(references(made)) <= defined
    assert defined - set(references(made)) == only_told | never_refused


def test_names_of_schemas_are_those_of_one_message_each(made: Mapping[str, Any]) -> None:
    assert [name for name in made["components"]["schemas"] if not re.fullmatch("[A-Za-z]+", name)] == []


def test_every_result_has_a_schema_but_this_document_itself(made: Mapping[str, Any]) -> None:
    open_objects = [row["name"] for row in made["methods"] if "$ref" not in row["result"]["schema"]]
    assert open_objects == ["rpc.discover"]


def test_every_schema_is_json_schema(made: Mapping[str, Any]) -> None:
    for schema in made["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_member_of_a_result_is_always_there(made: Mapping[str, Any]) -> None:
    schemas = made["components"]["schemas"]
    for name in ("ActivationResult", "ReaderView", "AccountMoved", "Holder"):
        assert schemas[name]["required"] == list(schemas[name]["properties"])
    assert "required" not in schemas["CardReadParams"] or schemas["CardReadParams"]["required"] == []


def test_parameters_that_must_be_given_come_first(made: Mapping[str, Any]) -> None:
    for row in made["methods"]:
        required = [one["required"] for one in row["params"]]
        assert required == sorted(required, reverse=True)
        assert row["paramStructure"] == "by-name"


def test_whatever_needs_a_right_may_be_forbidden_and_nothing_else(made: Mapping[str, Any]) -> None:
    for row in made["methods"]:
        forbidden = {"$ref": "#/components/errors/FORBIDDEN"} in row["errors"]
        assert forbidden == (row["x-right"] is not None), row["name"]


def test_every_method_says_in_a_sentence_what_it_does(made: Mapping[str, Any]) -> None:
    summaries = [row["summary"] for row in made["methods"]]
    assert [one for one in summaries if not re.fullmatch(r"[A-Z].*[^.]\.", one)] == []
    assert len(set(summaries)) == len(summaries)


def test_a_daemon_that_is_not_asked_loads_none_of_it() -> None:
    code = "import sys, cardd.cli, cardd.daemon; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "cardd.api.methods.rpc" in loaded
    assert {"cardd.api.discover", "cardd.wire.event_data", "cardd.wire.event_types"} & set(loaded) == set()
