"""docs/api.md against the code: every method of the socket and every event stands there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import cardd
from cardd.wire import methods

ROOT = Path(cardd.__file__).parent
PAGE = (ROOT.parent / "docs" / "api.md").read_text(encoding="utf-8")

METHODS = {value.name for value in vars(methods).values() if isinstance(value, methods.Signature)}

_KINDS = "access|account|activation|card|journal|key|pcsc|personal|pin|prompt|reader|service|station"
_NAME = re.compile(rf"({_KINDS})\.[a-z_]+")
_LOGS = {"debug", "info", "warning", "error", "exception", "critical"}
_FILES = {"journal.db", "journal.key", "journal.signing"}
_ELSEWHERE = {"client", "ctl", "wire"}
"""Where events are not made."""


def _only_logged(tree: ast.Module) -> set[int]:
    """Return the strings (by identity) that name lines of the log."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute))
    return {
        id(call.args[0])
        for call in calls
        if isinstance(call.func, ast.Attribute) and call.func.attr in _LOGS and call.args
    }


def _events() -> Iterator[str]:
    for path in ROOT.rglob("*.py"):
        if path.relative_to(ROOT).parts[0] in _ELSEWHERE:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        logged = _only_logged(tree)
        for node in ast.walk(tree):
            word = node.value if isinstance(node, ast.Constant) and id(node) not in logged else None
            if isinstance(word, str) and _NAME.fullmatch(word):
                yield word


EVENTS = set(_events()) - METHODS - _FILES


def _said(name: str) -> bool:
    """Tell whether the page names a thing as code, alone or with its data."""
    return re.search(rf"`{re.escape(name)}[` ]", PAGE) is not None


def test_the_page_has_every_method() -> None:
    assert {"journal.verify", "journal.find", "journal.export", "journal.erase"} <= METHODS
    assert sorted(name for name in METHODS if not _said(name)) == []


def _table(heading: str) -> set[str]:
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return set(re.findall(r"^\| `([a-z._]+)`", section, re.MULTILINE))


def test_the_table_of_events_has_every_event_and_no_other() -> None:
    assert {"card.inserted", "reader.unavailable", "journal.evicted", "account.debited", "key.stopped"} <= EVENTS
    assert sorted(_table("Events") ^ EVENTS) == []
