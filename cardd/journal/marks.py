"""By what an event can be found: its insertion, its activation, and keyed tokens of whom and which card it is about.

A mark holds no person: tokens are made under this machine's key, and are taken from what is about to be sealed.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cardd.base.sealing import Tokens
from cardd.journal.events import Json

_HOLDER, _CARD, _OLD_CARD = "holder", "card", "old"

_BY_KEY: Final = MappingProxyType(
    {
        "social_security_number": _HOLDER,
        "number": _CARD,
        "identification_code": _CARD,
        "old_card": _OLD_CARD,
        "document": _HOLDER,
    }
)
"""What a value is by its name in personal data; what stands under `_WITHIN` is that one's, whatever its name.

A citizen's document bears the number of the person.
"""

_WITHIN: Final = frozenset({"old_card", "document"})


def insertion(name: str) -> str:
    """Return the mark of everything that happened in one stay of a card."""
    return f"insertion {name}"


def activation(name: str) -> str:
    """Return the mark of everything that belongs to one activation."""
    return f"activation {name}"


def holder(token: str) -> str:
    """Return the mark of a person."""
    return f"{_HOLDER} {token}"


def card(token: str) -> str:
    """Return the mark of a card that was read."""
    return f"{_CARD} {token}"


def old_card(token: str) -> str:
    """Return the mark of an old card that was handed in."""
    return f"{_OLD_CARD} {token}"


def of_event(
    insertion_of: str | None, correlation: str | None, personal: Mapping[str, Json], tokens: Tokens | None
) -> tuple[str, ...]:
    """Return all marks of an event; without `tokens` those of persons and cards are missing."""
    found: dict[str, None] = {}
    if insertion_of is not None:
        found[insertion(insertion_of)] = None
    if correlation is not None:
        found[activation(correlation)] = None
    if personal and tokens is not None:
        _gather(found, personal, None, tokens)
    return tuple(found)


def of_personal(personal: Mapping[str, Json], tokens: Tokens | None) -> tuple[str, ...]:
    """Return the marks of the persons and cards that personal data name."""
    if tokens is None:
        return ()
    found: dict[str, None] = {}
    _gather(found, personal, None, tokens)
    return tuple(found)


def _gather(found: dict[str, None], value: Json, within: str | None, tokens: Tokens) -> None:
    """Add the marks of what a value names, each once and in their order."""
    # what can be encoded is made of these; to ask whether something is any mapping takes ten times as long
    if isinstance(value, dict):
        for key, inner in value.items():
            kind = _BY_KEY.get(key)
            if isinstance(inner, str):
                if kind is not None and inner:
                    kind = within or kind
                    found[f"{kind} {tokens.holder(inner) if kind == _HOLDER else tokens.card(inner)}"] = None
            else:
                _gather(found, inner, kind if key in _WITHIN else within, tokens)
    elif isinstance(value, list | tuple):
        for inner in value:
            _gather(found, inner, within, tokens)
