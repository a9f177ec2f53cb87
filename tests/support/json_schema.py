"""Messages held against the JSON Schema of the contract, with nothing in them that it does not have."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from jsonschema import Draft202012Validator

from cardd.api.discover import document
from cardd.api.methods import METHODS


class Contract:
    """The document of `rpc.discover`, ready to judge messages."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document: Final = document
        self.methods: Final = {row["name"]: row for row in document["methods"]}
        self._closed: Final = {"components": {"schemas": closed(document["components"]["schemas"])}}

    def faults(self, schema: Mapping[str, Any], value: object) -> list[str]:
        """Return what in a message does not follow a schema, or is not in it."""
        judge = Draft202012Validator({**closed(schema), **self._closed})
        return [f"{error.json_path}: {error.message}" for error in judge.iter_errors(value)]

    def faults_of_params(self, method: str, params: object) -> list[str]:
        return self.faults(self.methods[method]["x-params"], params)

    def faults_of_result(self, method: str, result: object) -> list[str]:
        return self.faults(self.methods[method]["result"]["schema"], result)

    def faults_of_event(self, event: Mapping[str, Any]) -> list[str]:
        """Judge an event's envelope and what it tells."""
        kind = event["type"].removeprefix("org.cardd.").removesuffix(".v1")
        if kind not in self.document["x-events"]:
            return [f"nobody knows {kind}"]
        envelope = self.document["x-notifications"]["event"]["event"]
        told = self.document["x-events"][kind]["data"]
        return [f"{kind} {fault}" for fault in [*self.faults(envelope, event), *self.faults(told, event["data"])]]

    def faults_of_answer(self, method: str, answer: Mapping[str, Any]) -> list[str]:
        """Judge what a method answered, a result or a refusal."""
        if "result" in answer:
            return self.faults_of_result(method, answer["result"])
        reason = answer["error"]["data"]["reason"]
        return [] if reason in self.reasons(method) else [f"{method} does not say that it may answer {reason}"]

    def reasons(self, method: str) -> set[str]:
        """Return every reason that a method may refuse with."""
        return {error["$ref"].rsplit("/", 1)[-1] for error in self.methods[method]["errors"]}


@cache
def contract() -> Contract:
    """Return the contract of this tree."""
    return Contract(document(METHODS))


def closed(schema: Any) -> Any:
    """Return a schema that takes no members but those it names."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    return {**inner, "additionalProperties": False} if isinstance(schema.get("properties"), dict) else inner


def references(schema: Any) -> Iterator[str]:
    """Yield everything that a schema refers to."""
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for value in schema.values():
            yield from references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from references(value)
