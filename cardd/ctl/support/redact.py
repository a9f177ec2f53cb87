"""What of each part may leave the machine. What is not known to be harmless stays here."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from cardd.ctl.health.findings import Finding
from cardd.wire.base import Json
from cardd.wire.events import Event, short_type

_HARMLESS: Final = frozenset(
    {
        *("station", "role", "pcsc_name", "version", "at_start", "kind", "generation", "authentic", "unproven", "via"),
        *("reason", "cause", "detail", "route", "state", "ended_in", "outcome", "deadline", "method", "right", "count"),
        *("tries_left", "key", "done", "what", "by_proof", "by_reading", "tac_right", "mac_right"),
    }
)
"""Members of events' data that are words of a table, counts or the machine's own names: no text of people, no number.

`purpose`, `client`, `operator`, `request`, `visit` are what people typed; `number`, `card`, `holder`, `receipt` theirs.
"""

_ABOUT_USERS: Final = frozenset({"groups", "rights"})
_QUOTES: Final = frozenset({"config_wrong"})
_LONG_NUMBER: Final = re.compile(rb"(?<![0-9A-Fa-f])[0-9]{12,}[Xx]?(?![0-9A-Fa-f])")
_LENT_TO: Final = "lent"
REDACTED: Final = "(not told)"
_SAID: Final = REDACTED.encode()
_JSON_USER: Final = re.compile(rb'("(?:user|client)":)"(?:[^"\\\n]|\\.)*"')
_TEXT_USER: Final = re.compile(rb"""\b((?:user|client)=)('(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|\S+)""")
_MISTAKE: Final = rb"(\S:[0-9]+:[0-9]+: )"
"""A place in the configuration: the sentence after it may quote what stands there."""
_JSON_MISTAKE: Final = re.compile(_MISTAKE + rb'(?:[^"\\\n]|\\.)*')
_TEXT_MISTAKE: Final = re.compile(_MISTAKE + rb".*")


def event(one: Event) -> dict[str, Json]:
    """Return when an event happened, what, where, and the words of it that are harmless."""
    data: dict[str, Json] = {
        key: value for key, value in one.data.items() if key in _HARMLESS and isinstance(value, str | int | bool | None)
    }
    return {
        "sequence": one.sequence,
        "time": one.time,
        "type": short_type(one.type),
        "subject": one.subject,
        "correlationid": one.correlationid,
        "insertion": one.insertion,
        "data": data,
    }


def finding(one: Finding) -> dict[str, Json]:
    """Return a finding; of those that name users or quote the configuration, the code alone."""
    told: dict[str, Json] = {"check": one.check, "level": str(one.level), "code": one.code}
    if one.check not in _ABOUT_USERS and one.code not in _QUOTES:
        told["text"], told["remedy"] = {**one.text}, {**one.remedy}
    return told


def status(told: Json) -> Json:
    """Return a status without the names of clients."""
    match told:
        case dict():
            return {key: REDACTED if key == _LENT_TO and value else status(value) for key, value in told.items()}
        case list():
            return [status(value) for value in told]
        case _:
            return told


def readers(told: Json) -> Json:
    """Return a list of readers without the numbers of the cards in them, which are masked but tell the last four."""
    match told:
        case dict():
            return {key: readers(value) for key, value in told.items() if key != "number"}
        case list():
            return [readers(value) for value in told]
        case _:
            return told


def config(told: Mapping[str, Json]) -> Json:
    """Return a configuration, which holds no secret, without names of users and what an address may have in it."""
    return {key: _setting(key, value) for key, value in told.items()}


def _setting(key: str, value: Json) -> Json:
    match value:
        case dict():
            return config(value)
        case list():
            return [_setting(key, one) for one in value]
        case str() if key == "url":
            parts = urlsplit(value)
            return f"{parts.scheme}://{parts.hostname}{'' if parts.port is None else f':{parts.port}'}{parts.path}"
        case str() if key == "user":
            return REDACTED
        case _:
            return value


def log(lines: bytes) -> bytes:
    """Return a log without users, clients and what quotes the configuration.

    It holds no other person by its making; long numbers are taken out all the same.
    """
    return b"".join(_log_line(line) for line in _LONG_NUMBER.sub(_SAID, lines).splitlines(keepends=True))


def _log_line(line: bytes) -> bytes:
    line = _JSON_USER.sub(rb'\1"' + _SAID + b'"', _TEXT_USER.sub(rb"\1" + _SAID, line))
    mistake = _JSON_MISTAKE if b'{"' in line else _TEXT_MISTAKE
    return mistake.sub(rb"\1" + _SAID, line)
