"""Writes docs/schemas/scenario.schema.json from the structs of scenarios; `--check` tells if it is stale."""

import inspect
import json
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from cardsim.scenario.model import Scenario

FILE: Final = Path(__file__).parents[1] / "docs" / "schemas" / "scenario.schema.json"

_TEXTS: Final = ["string", "number", "boolean"]
"""What YAML may take a text for that stands without quotes; in a scenario it is the text all the same."""


def schema() -> str:
    """Return the schema as it is to be written."""
    made = _as_written(msgspec.json.schema(Scenario, schema_hook=lambda _: {"title": "anything"}))
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A scenario for `cardsim run`",
        **made,
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _as_written(part: Any) -> Any:  # any JSON
    """Leave out what reading adds (members that begin with `@`), and let texts stand without quotes."""
    if isinstance(part, list):
        return [_as_written(one) for one in part]
    if not isinstance(part, dict):
        return part
    made = {key: _as_written(value) for key, value in part.items() if key not in {"discriminator", "default"}}
    if isinstance(part.get("description"), str):
        made["description"] = inspect.cleandoc(part["description"])
    if isinstance(part.get("properties"), dict):
        made["properties"] = {
            name: _as_written(one) for name, one in part["properties"].items() if not name.startswith("@")
        }
    if isinstance(part.get("required"), list):
        made["required"] = [name for name in part["required"] if not name.startswith("@")]
    if part.get("type") == "string" and "pattern" not in part:
        made["type"] = _TEXTS
    if "enum" in part:
        made["enum"] = [*part["enum"], *(number for word in part["enum"] if (number := _number(word)) is not None)]
    return made


def _number(word: object) -> float | None:
    try:
        return float(word) if isinstance(word, str) else None
    except ValueError:
        return None


def main() -> int:
    """Write or check the schema."""
    wanted = schema()
    if FILE.exists() and FILE.read_text(encoding="utf-8") == wanted:
        return 0
    if "--check" in sys.argv[1:]:
        print(f"{FILE.name} is not current: run tools/scenario_schema.py", file=sys.stderr)
        return 1
    FILE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
