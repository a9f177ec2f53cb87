"""The tables of methods and events against the code: whatever is served or told stands in them, and on docs/api.md."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import cardd
from cardd.api.methods import METHODS
from cardd.base.reasons import REASONS
from cardd.wire import event_types, methods

ROOT = Path(cardd.__file__).parent
PAGE = (ROOT.parent / "docs" / "api.md").read_text(encoding="utf-8")

SIGNATURES = {value.name for value in vars(methods).values() if isinstance(value, methods.Signature)}

_KINDS = "access|account|activation|card|journal|key|pcsc|personal|pin|prompt|reader|service|station"
_NAME = re.compile(rf"({_KINDS})\.[a-z_]+")
_LOGS = {"debug", "info", "warning", "error", "exception", "critical"}
_FILES = {"journal.db", "journal.key", "journal.signing"}
_ELSEWHERE = {"client", "ctl", "metrics", "wire"}
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


@cache
def made() -> frozenset[str]:
    """Return the events that the code makes."""
    return frozenset(_events()) - METHODS.keys() - _FILES


def test_every_signature_is_served_and_nothing_else_is() -> None:
    assert METHODS.keys() == SIGNATURES


def test_the_table_of_events_has_every_event_that_is_made_and_no_other() -> None:
    assert {"card.inserted", "reader.unavailable", "journal.evicted", "account.debited", "key.stopped"} <= made()
    assert sorted(event_types.EVENTS.keys() ^ made()) == []


def test_the_page_names_every_method_event_and_reason() -> None:
    """That the tables are those of the rows is `tools/api_page.py --check`."""
    named = set(re.findall(r"^\| `([A-Za-z._]+)` \|", PAGE, re.MULTILINE))
    assert named >= METHODS.keys() | made() | {str(reason) for reason in REASONS}
