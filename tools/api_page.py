#!/usr/bin/env python3
"""Write what docs say of the socket from the rows of its methods, events and reasons; with --check, only look.

That is docs/openrpc.json, docs/schemas/, and, in docs/api.md and docs/desk.md, whatever stands between a comment such
as `<!-- methods: card lease -->` and the next `<!-- end -->`. The exchanges come from docs/exchanges.json.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import is_typeddict

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import msgspec  # noqa: E402
from msgspec.structs import fields  # noqa: E402

from cardd.api.discover import reasons_of  # noqa: E402
from cardd.api.methods import METHODS  # noqa: E402
from cardd.base.reasons import REASONS  # noqa: E402
from cardd.wire.cards import CardChoice  # noqa: E402
from cardd.wire.event_types import EVENTS  # noqa: E402
from tools import api_schemas  # noqa: E402

DOCS = ROOT / "docs"
PAGES = ("api.md", "desk.md")

_BLOCK = re.compile(
    r"(?P<head><!-- (?P<kind>[a-z]+)(?:: (?P<names>[^>]*?))? -->\n).*?(?P<tail><!-- end -->)", re.DOTALL
)
_LONGEST = 440
_SENTENCES = re.compile(r'"text": \{"en": "[^"]*", "zh-CN": "[^"]*"\}')
_NAME = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{24,}\b")
_FEW = 2
_CHOICE = CardChoice.__struct_fields__


class PageError(Exception):
    """A page asks for what there is not, or leaves out what there is."""


def page(text: str, book: Mapping[str, list[dict[str, object]]]) -> str:
    """Return a page with everything that is made anew. Raises PageError for what is not known."""
    writers: dict[str, Callable[[list[str]], Iterator[str]]] = {
        "methods": _methods,
        "exchanges": lambda names: _exchanges(names, book),
        "events": lambda _: _events(),
        "reasons": lambda _: _reasons(),
    }

    def made(block: re.Match[str]) -> str:
        names = (block["names"] or "").split()
        if block["kind"] not in writers:
            raise PageError(f"nobody knows what `{block['kind']}` is")
        return block["head"] + "\n".join(["", *writers[block["kind"]](names), "", ""]) + block["tail"]

    return _BLOCK.sub(made, text)


def left_out(pages: Iterable[str]) -> list[str]:
    """Return what no page tells: methods without a row or an exchange, events, reasons."""
    asked: dict[str, list[str]] = {}
    for text in pages:
        for block in _BLOCK.finditer(text):
            asked.setdefault(block["kind"], []).extend((block["names"] or "").split() or ["*"])
    rows = {name for name in METHODS if name.split(".")[0] in asked.get("methods", [])}
    shown = set(asked.get("exchanges", []))
    return [
        *(f"the row of {name}" for name in METHODS if name not in rows),
        *(f"an exchange of {name}" for name in METHODS if name not in shown),
        *(f"the table of {kind}" for kind in ("events", "reasons") if kind not in asked),
    ]


def _methods(prefixes: list[str]) -> Iterator[str]:
    yield "| method | right | params → result | what it does |"
    yield "|---|---|---|---|"
    for name, row in METHODS.items():
        if name.split(".")[0] in prefixes:
            told, right = row.signature, "–" if row.right is None else str(row.right)
            yield f"| `{name}` | {right} | {_taken(told.params)} → {_given(told.result)} | {told.summary} |"


def _taken(kind: type[msgspec.Struct]) -> str:
    names = _named(kind)
    chosen = set(_CHOICE) <= {name.rstrip("?") for name in names}
    own = [name for name in names if not (chosen and name.rstrip("?") in _CHOICE)]
    return "`{" + ", ".join([*own, *(["card…"] if chosen else [])]) + "}`"


def _given(kind: type[object]) -> str:
    if is_typeddict(kind):
        return "`{" + ", ".join(f"{name}?" for name in kind.__annotations__) + "}`"
    return _told(kind) if issubclass(kind, msgspec.Struct) else "an open object"


def _told(kind: type[msgspec.Struct]) -> str:
    # what the daemon sends is there, unless it may be left out
    names = [field.encode_name + ("?" if field.default is msgspec.UNSET else "") for field in fields(kind)]
    return "`{" + ", ".join(names) + "}`"


def _named(kind: type[msgspec.Struct]) -> list[str]:
    return [field.encode_name + ("" if field.required else "?") for field in fields(kind)]


def _exchanges(names: list[str], book: Mapping[str, list[dict[str, object]]]) -> Iterator[str]:
    yield "```"
    for name in names:
        if name not in book:
            raise PageError(f"docs/exchanges.json has no {name}")
        for line in book[name]:
            for arrow, message in line.items():
                yield f"{arrow} {_cut(message)}"
    yield "```"


def _cut(message: object) -> str:
    """Return a message as a line that is read, not sent: long names, sentences and the end of a long line are cut."""
    line = _NAME.sub(r"\1…", json.dumps(_essence(message), ensure_ascii=False))
    line = line.replace('"…": "…"', "…")
    if len(line) > _LONGEST:
        line = _SENTENCES.sub('"text": {…}', line)
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def _essence(message: object) -> object:
    """Leave out of an event what every event has."""
    match message:
        case {"method": "event", "params": {"event": {"type": kind, "data": data}}}:
            event = {"…": "…", "type": kind, "data": data}
            return {"jsonrpc": "2.0", "method": "event", "params": {"…": "…", "event": event}}
        case _:
            return message


def _events() -> Iterator[str]:
    yield "| event | data | tells |"
    yield "|---|---|---|"
    for row in EVENTS.values():
        yield f"| `{row.name}` | {_told(row.data)} | {row.tells} |"


def _reasons() -> Iterator[str]:
    yield "| reason | retry | text | from |"
    yield "|---|---|---|---|"
    for reason, row in REASONS.items():
        names = [name for name, method in METHODS.items() if reason in reasons_of(method)]
        yield f"| `{reason}` | {row.retry} | {row.en}<br>{row.zh} | {', '.join(_together(names)) or '–'} |"


def _together(names: list[str]) -> Iterator[str]:
    """Yield methods by name, with one glob where it is all of a prefix."""
    if len(names) == len(METHODS):
        yield "every method"
        return
    for prefix in dict.fromkeys(name.split(".")[0] for name in names):
        inside = [name for name in METHODS if name.split(".")[0] == prefix]
        those = [name for name in names if name in inside]
        missing = [name for name in inside if name not in those]
        if not missing and len(inside) > 1:
            yield f"`{prefix}.*`"
        elif 1 <= len(missing) <= _FEW < len(those):
            yield f"`{prefix}.*` but " + " and ".join(f"`{name}`" for name in missing)
        else:
            yield from (f"`{name}`" for name in those)


def main() -> int:
    """Write or check everything."""
    book = json.loads((DOCS / "exchanges.json").read_text(encoding="utf-8"))
    texts = {name: (DOCS / name).read_text(encoding="utf-8") for name in PAGES}
    wanted = {Path(name): page(text, book) for name, text in texts.items()}
    wanted |= dict(api_schemas.files(api_schemas.openrpc()))
    stale = [place for place, text in wanted.items() if _read(DOCS / place) != text]
    # a `.schema.json` is that of a file people write, and other tools write those
    found = (one for one in (DOCS / "schemas").rglob("*.json") if not one.name.endswith(".schema.json"))
    beyond = [one for one in found if one.relative_to(DOCS) not in wanted]
    missing = left_out(texts.values())
    if missing:
        print("docs leave out:", ", ".join(missing), file=sys.stderr)
        return 1
    if "--check" not in sys.argv[1:]:
        for place in stale:
            (DOCS / place).parent.mkdir(parents=True, exist_ok=True)
            (DOCS / place).write_text(wanted[place], encoding="utf-8")
        for one in beyond:
            one.unlink()
        return 0
    for place in [*stale, *(one.relative_to(DOCS) for one in beyond)]:
        print(f"docs/{place} is not current: run tools/api_page.py", file=sys.stderr)
    return 1 if stale or beyond else 0


def _read(file: Path) -> str | None:
    return file.read_text(encoding="utf-8") if file.exists() else None


if __name__ == "__main__":
    sys.exit(main())
