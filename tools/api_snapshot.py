#!/usr/bin/env python3
"""Hold the contract against its snapshot; with --renew, write what was added into it.

The snapshot is the shape of the contract without its prose: methods with their right, parameters, result and reasons,
the data of each event, the names of all reasons. What an old client would misunderstand is never renewed: it needs
another `API` in cardd/wire/session.py, which begins a snapshot of its own.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from cardd.api.discover import reasons_of  # noqa: E402
from cardd.api.methods import METHODS  # noqa: E402
from cardd.base.reasons import Reason  # noqa: E402
from cardd.wire.event_types import EVENTS  # noqa: E402
from cardd.wire.session import API  # noqa: E402
from tools import api_schemas  # noqa: E402

SNAPSHOTS = ROOT / "tests" / "contract" / "snapshots"

# a snapshot is read from JSON: any object
Shape = Mapping[str, Any]

_PROSE: Final = frozenset({"title", "description"})
_REFERENCE: Final = re.compile(r"#/components/schemas/(.+)")


def contract() -> dict[str, Any]:
    """Return the contract as it is now, in the shape of a snapshot."""
    schemas: Any = api_schemas.openrpc()["components"]
    known: Mapping[str, Any] = schemas["schemas"]
    names = {row["name"]: row for row in _rows()}
    return {
        "api": API,
        "methods": {
            name: {
                "right": None if row.right is None else str(row.right),
                "params": _shape(known, names[name]["x-params"]),
                "result": _shape(known, names[name]["result"]["schema"]),
                "reasons": [str(reason) for reason in reasons_of(row)],
            }
            for name, row in METHODS.items()
        },
        "events": {name: _shape(known, known[row.data.__name__]) for name, row in EVENTS.items()},
        "reasons": [str(reason) for reason in Reason],
    }


def broken(before: Shape, now: Shape) -> Iterator[str]:
    """Yield what an old client would misunderstand. What is only added is none of it."""
    for kind in ("methods", "events"):
        yield from (f"{name} is gone" for name in before[kind] if name not in now[kind])
    yield from (f"the reason {reason} is gone" for reason in before["reasons"] if reason not in now["reasons"])
    for name in before["methods"].keys() & now["methods"].keys():
        old, new = before["methods"][name], now["methods"][name]
        if old["right"] != new["right"]:
            yield f"{name} needs the right {new['right']} instead of {old['right']}"
        yield from _refused(old["params"], new["params"], f"{name} params")
        yield from _not_as_promised(old["result"], new["result"], f"{name} result")
    for name in before["events"].keys() & now["events"].keys():
        yield from _not_as_promised(before["events"][name], now["events"][name], f"{name} data")


def _refused(old: Shape, new: Shape, where: str) -> Iterator[str]:
    """Yield what a client might send by the old schema and the new one does not take, or does not know."""
    for name in old.get("properties", {}):
        if name not in new.get("properties", {}):
            yield f"{where}.{name} is gone"
        else:
            yield from _refused(old["properties"][name], new["properties"][name], f"{where}.{name}")
    yield from (f"{where}.{name} is required" for name in _beyond(new, old, "required"))
    yield from (f"{where} takes no {one} any more" for one in _types(old) - _types(new))
    yield from (f"{where} takes no {one!r} any more" for one in _codes_gone(old, new))
    yield from (f"{where} is held to {limit}" for limit in _tighter(old, new))
    if old.get("default") != new.get("default"):
        yield f"{where} means {new.get('default')!r} where it is left out"
    yield from _inside(_refused, old, new, where)


def _not_as_promised(old: Shape, new: Shape, where: str) -> Iterator[str]:
    """Yield what a client may rely on by the old schema and the new one does not promise.

    Codes may be added: clients are told to expect some that they do not know.
    """
    for name in old.get("properties", {}):
        if name not in new.get("properties", {}):
            yield f"{where}.{name} is gone"
        else:
            yield from _not_as_promised(old["properties"][name], new["properties"][name], f"{where}.{name}")
    yield from (f"{where}.{name} may be missing" for name in _beyond(old, new, "required"))
    yield from (f"{where} may be {one}" for one in _types(new) - _types(old))
    yield from (f"{where} is never {one!r} any more" for one in _codes_gone(old, new))
    yield from _inside(_not_as_promised, old, new, where)


def _inside(compare: Any, old: Shape, new: Shape, where: str) -> Iterator[str]:
    for part in ("items", "additionalProperties"):
        if isinstance(old.get(part), dict) and isinstance(new.get(part), dict):
            yield from compare(old[part], new[part], f"{where}[]")
    if "anyOf" in old:
        others = {_type(one): one for one in new.get("anyOf", [new])}
        for one in old["anyOf"]:
            yield from compare(one, others.get(_type(one), one), where)


def _types(schema: Shape) -> set[str]:
    return {_type(one) for one in schema.get("anyOf", [schema])}


def _type(schema: Shape) -> str:
    kind: str = schema.get("type", "string" if "enum" in schema else "anything")
    return kind


def _beyond(one: Shape, other: Shape, key: str) -> list[str]:
    return [name for name in one.get(key, []) if name not in other.get(key, [])]


def _codes_gone(old: Shape, new: Shape) -> list[str]:
    return _beyond(old, new, "enum") if "enum" in old and "enum" in new else []


_LIMITS: Final = ("minLength", "maxLength", "minimum", "maximum", "minProperties", "pattern")


def _tighter(old: Shape, new: Shape) -> Iterator[str]:
    """Yield limits that are new or narrower than they were."""
    for limit in _LIMITS:
        if limit not in new:
            continue
        if limit not in old or limit == "pattern":
            narrower = old.get(limit) != new[limit]
        else:
            narrower = new[limit] > old[limit] if limit.startswith("min") else new[limit] < old[limit]
        if narrower:
            yield f"{limit} {new[limit]}"


def _shape(known: Mapping[str, Any], schema: Any) -> Any:
    """Return a schema with what it refers to in its place, and without prose."""
    if isinstance(schema, dict):
        reference = _REFERENCE.fullmatch(schema.get("$ref", ""))
        if reference is not None:
            return _shape(known, known[reference[1]])
        bare = {key: value for key, value in schema.items() if key not in _PROSE}
        if isinstance(bare.get("properties"), dict):
            members = {name: _shape(known, one) for name, one in bare.pop("properties").items()}
            return {**_shape(known, bare), "properties": members}
        return {key: _shape(known, value) for key, value in bare.items()}
    if isinstance(schema, list):
        return [_shape(known, one) for one in schema]
    return schema


def _rows() -> list[Any]:
    rows: Any = api_schemas.openrpc()["methods"]
    return list(rows)


def main() -> int:
    """Check or renew the snapshot of this version."""
    now, file = contract(), SNAPSHOTS / f"api-{API}.json"
    before: Shape = json.loads(file.read_text(encoding="utf-8")) if file.exists() else now
    faults = list(broken(before, now))
    for fault in faults:
        print(f"api {API}: {fault}", file=sys.stderr)
    if faults:
        print("an old client would misunderstand this: raise API in cardd/wire/session.py", file=sys.stderr)
        return 1
    if "--renew" in sys.argv[1:]:
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(now, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        return 0
    if before != now or not file.exists():
        print(f"{file.name} does not have all of the contract: tools/api_snapshot.py --renew", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
