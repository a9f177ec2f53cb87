"""Makes a scenario of an incident: station, people, cards and centre as they were, and the same end expected."""

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from cardd.wire.activation import Route
from cardd.wire.incident import Incident, Setting, Turn, Waits
from cardsim.scenario.incidents.people import HOME, Company, company
from cardsim.scenario.incidents.timeline import STATION, Timeline, needs_centre, station_readers


class CannotRebuildError(Exception):
    """An account from which nothing can be made to happen again, and why."""


def rebuild(incident: Incident) -> dict[str, object]:
    """Return an incident as a scenario's document. Raises CannotRebuildError."""
    setting = incident.setting
    if setting is None or not incident.turns:
        raise CannotRebuildError("it holds no turns: the activation began with a cardd that kept no account of it")
    if incident.left_out:
        raise CannotRebuildError(f"{incident.left_out} of its turns were left out: it was too long to be kept whole")
    if incident.waiting is not None:
        raise CannotRebuildError(_held_up(incident.waiting))
    seed = int.from_bytes(hashlib.sha256(incident.activation.encode()).digest()[:4])
    people = company(incident, seed)
    timeline = Timeline(incident, people.cards, _start(incident.route, setting, incident.turns, people))
    readers = station_readers(setting.readers)
    has_sam = any(reader["role"] == "sam" for reader in readers)
    if not setting.module and not has_sam:
        readers.append({"name": "sam", "role": "sam"})
    return {
        "scenario": f"incident-{incident.activation[:8]}",
        "about": f"Rebuilt: {incident.route}, {incident.state} {incident.reason or incident.outcome or ''}".strip(),
        "seed": seed,
        "run_on": ["in-process", "pcscd"],
        "stations": [{"name": STATION, "auto": setting.by_itself, "readers": readers}],
        "psam": "psam" if setting.module else "none",
        "centre": needs_centre(incident),
        "settings": _settings(incident.route, setting),
        "people": people.people,
        "timeline": list(timeline.steps()),
    }


def _held_up(waiting: Turn) -> str:
    why = "JOURNAL_UNAVAILABLE" if waiting.late is None else waiting.late.reason
    return (
        f"its journal has no room ({why}), which cannot be brought about here: `{waiting.fact}` waits for it in "
        f"`{waiting.state}`. Make room there; it goes on by itself, and can be told again then"
    )


def _start(route: Route, setting: Setting, turns: Sequence[Turn], people: Company) -> dict[str, object]:
    """Return the parameters of the activation."""
    start: dict[str, object] = {"route": str(route), "station": STATION}
    register = people.holder.register
    assert register is not None  # noqa: S101 - everybody invented is registered
    if setting.visit:
        start["visit"] = {"kind": "outpatient", "number": "V0001"}
    if setting.document is not None:
        number = register.social_security_number
        differs = any(turn.reason == "DOCUMENT_DIFFERS" for turn in turns)
        name = "测试别" if differs else register.name
        start["identity_document"] = {"type": "resident", "number": number, "name": name}
    if setting.old_number and register.old_cards:
        start["old_card"] = {"number": register.old_cards[0].number}
    return start


def _settings(route: Route, setting: Setting) -> dict[str, object]:
    activation: dict[str, object] = {
        "pin_policy": {str(route): setting.pin_policy},
        "expired_cards": "ask" if setting.accept_expired else "refuse",
        "without_old_card": "accept" if setting.without_old_card else "refuse",
        "deadlines": _deadlines(setting.waits),
        "region": HOME,
        "other_regions": "refuse",
    }
    keys: Mapping[str, object] = {} if setting.keys == "none" else {"keys": {"provider": "psam"}}
    return {"activation": activation, **keys}


def _deadlines(waits: Waits) -> dict[str, object]:
    built: dict[str, float] = {"person_s": waits.person_s, "card_s": waits.card_s, "authority_s": waits.authority_s}
    return {**built, **msgspec.to_builtins(waits.states)}
