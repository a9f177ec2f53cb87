"""Who comes to the rebuilt counter: invented people with cards of the same kinds, and what the centre knows of them."""

import random
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from cardd.base.structs import Struct
from cardd.wire.cards import Kind
from cardd.wire.incident import Incident, SeenCard, Turn
from cardsim.persona import AnyPersona, SocialSecurityPersona
from cardsim.scenario.incidents.chapters import CARD_FACTS
from cardsim.scenario.model import GenerateSpec, Person
from cardsim.scenario.people import Inventor, document_of

HOME: Final = "510100"
AWAY: Final = "119900"
_LONG_AGO: Final = "2020-01-02"
_NOBODYS_KEY: Final = "FFEEDDCCBBAA99887766554433221100"
_PASSWORD: Final = "135792"  # noqa: S105 - invented
_DRAWS: Final = 64
_VALUES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType({"SSSEEF05": {"06": "20400101"}})
"""What the centre wants written where it wanted something, if the account names nothing that is known here."""

_STRANGERS: Final = frozenset({"OTHER_PERSON", "NUMBER_DIFFERS"})
_OLD_CARD: Final = MappingProxyType({"OLD_CARD_LOST": "lost", "OLD_CARD_VOID": "void", "OLD_CARD_FROZEN": "frozen"})
_CARD: Final = MappingProxyType({"CARD_LOST": "lost", "CARD_VOID": "void"})

OldKind = Literal["none", "cpu", "sle4442", "sle4428"]


class Company(Struct, frozen=True):
    """The people of a rebuilt incident as a scenario has them, and the card of each number as its steps name it."""

    people: Mapping[str, object]
    cards: Mapping[int, str]
    holder: Person


class _Wanted(Struct, frozen=True):
    """A card of the account, and what came of it: all reasons and facts of the turns in which it was the newest."""

    card: SeenCard
    reasons: frozenset[str]
    facts: frozenset[str]
    tries: int | None

    @property
    def is_old(self) -> bool:
        return self.card.kind is Kind.MEDICAL_INSURANCE


def company(incident: Incident, seed: int) -> Company:
    """Invent everybody who has a card in an account. One person has the cards that went together, others the rest."""
    wanted = list(_wanted(incident))
    social = [one for one in wanted if one.card.kind is Kind.SOCIAL_SECURITY]
    old = [one for one in wanted if one.is_old]
    # the last card of each kind that led on is the holder's, and before any that was somebody else's
    found = sorted(social, key=lambda one: ("read" in one.facts, not one.reasons & _STRANGERS))
    own_social = found[-1] if found else None
    own_old = next((one for one in old if "read" in one.facts), old[0] if old else None)
    apart = own_social is not None and own_old is not None and "OTHER_PERSON" in own_social.reasons
    stream, inventor = random.Random(seed), Inventor()
    people: dict[str, object] = {}
    cards: dict[int, str] = {}
    holder = _invent(inventor, stream, own_social if not apart else None, own_old)
    people["holder"] = _group(holder, incident, own_social if not apart else None, own_old)
    for one, alias in ((own_social, "social"), (own_old, "old")):
        if one is not None and not (apart and alias == "social"):
            cards[one.card.card] = f"holder.{alias}"
    others = [one for one in (*social, *old) if one.card.card not in cards]
    for number, one in enumerate(others, 1):
        name = f"stranger{number}"
        somebody = _invent(inventor, stream, None if one.is_old else one, one if one.is_old else None)
        people[name] = _group(somebody, incident, None if one.is_old else one, one if one.is_old else None)
        cards[one.card.card] = f"{name}.{'old' if one.is_old else 'social'}"
    return Company(people, cards, holder)


def _wanted(incident: Incident) -> Iterator[_Wanted]:
    """Yield the cards of an account with what came of each."""
    seen: dict[int, SeenCard] = {}
    reasons: dict[int, set[str]] = {}
    facts: dict[int, set[str]] = {}
    tries: dict[int, int] = {}
    newest: int | None = None
    for turn in incident.turns:
        if turn.card is not None and turn.fact in CARD_FACTS:
            number = turn.card.card
            seen.setdefault(number, turn.card)
            facts.setdefault(number, set()).add(turn.fact)
            reasons.setdefault(number, set())
            newest = number if turn.do else newest
        if newest is None:
            continue
        if _tells_of_the_card(turn):
            facts[newest].add("read")
        if turn.reason is not None:
            reasons[newest].add(turn.reason)
        facts[newest].add(turn.fact)
        if turn.tries_left is not None and turn.fact not in {"pin_wrong", "password_wrong", "pin_not_changed"}:
            tries.setdefault(newest, turn.tries_left)
    for number, card in seen.items():
        yield _Wanted(card, frozenset(reasons[number]), frozenset(facts[number]), tries.get(number))


def _tells_of_the_card(turn: Turn) -> bool:
    return turn.state in {"reading_social_card", "reading_old_card"} and turn.fact not in {
        "card_gone",
        "reading_failed",
        "restarted",
    }


def _invent(inventor: Inventor, stream: random.Random, social: _Wanted | None, old: _Wanted | None) -> Person:
    generation = "3.0" if social is None else social.card.generation
    algorithm = "sm4" if social is None else social.card.algorithm
    away = social is not None and "OTHER_REGION" in social.reasons
    spec = GenerateSpec(
        count=1,
        profiles=(generation if generation in {"1.0", "2.0", "3.0"} else "3.0",),  # type: ignore[arg-type]
        algorithms=("des" if algorithm == "des" else "sm4",),
        regions=(AWAY if away else HOME,),
        old_card=_old_kind(old),
    )
    layout = None if old is None else old.card.layout
    invented = (next(inventor.invent(spec, stream)) for _ in range(_DRAWS))
    somebody = next(invented)
    return next((one for one in (somebody, *invented) if _is_written(one, layout)), somebody)


def _is_written(person: Person, layout: str | None) -> bool:
    """Say whether a person's old card is written as one of the account was."""
    return layout in {None, getattr(person.cards.get("old"), "layout", None)}


def _old_kind(old: _Wanted | None) -> OldKind:
    layout = "cpu" if old is None else old.card.layout or "cpu"
    if layout == "loudi":
        return "sle4442"
    return "cpu" if layout == "cpu" else "sle4428"


def _group(person: Person, incident: Incident, social: _Wanted | None, old: _Wanted | None) -> dict[str, object]:
    """Return a person as a scenario's `people` have one, with what an account tells of their cards."""
    cards = {alias: document_of(card) for alias, card in person.cards.items()}
    made = person.cards["social"]
    assert isinstance(made, SocialSecurityPersona)  # noqa: S101 - everybody has one
    cards["social"] |= _flaws(made, social)
    register: dict[str, object] = msgspec.to_builtins(person.register)
    register["cards"] = _entered(register["cards"], social)
    if social is not None and "NAME_DIFFERS" in social.reasons:
        register["name"] = "测试别"
    # an old card may be found to be void when the new one is looked at
    told = {turn.reason for turn in incident.turns if turn.reason is not None}
    register["old_cards"] = [_old_entry(one, old, told) for one in _list(register["old_cards"])]
    register["updates"] = _updates(incident)
    return {"cards": cards, "register": register}


def _flaws(made: AnyPersona, social: _Wanted | None) -> dict[str, object]:
    """Return what is wrong with a social security card, as its persona says it."""
    if social is None:
        return {}
    flaws: dict[str, object] = {}
    if "CARD_EXPIRED" in social.reasons:
        flaws["valid_until"] = _LONG_AGO
    if "CARD_NOT_GENUINE" in social.reasons:
        assert isinstance(made, SocialSecurityPersona)  # noqa: S101 - as above
        flaws["keys"] = {**made.keys, "IRK": _NOBODYS_KEY}
    if social.tries is not None:
        flaws["pin_tries"] = min(social.tries, 15)
    return flaws


def _entered(entries: object, social: _Wanted | None) -> list[object]:
    if social is None:
        return _list(entries)
    if "NUMBER_DIFFERS" in social.reasons:
        return []
    status = next((_CARD[reason] for reason in sorted(social.reasons & _CARD.keys())), "not_enabled")
    if "already_active" in social.facts:
        status = "normal"
    return [{**entry, "status": status} for entry in _list(entries) if isinstance(entry, dict)]


def _old_entry(entry: object, old: _Wanted | None, reasons: AbstractSet[str]) -> object:
    if old is None or not isinstance(entry, dict):
        return entry
    made = dict(entry)
    status = next((_OLD_CARD[reason] for reason in sorted(reasons & _OLD_CARD.keys())), None)
    if status is not None:
        made["status"] = status
    if "password_wanted" in old.facts or "OLD_PASSWORD_LOCKED" in old.reasons:
        made["password"] = _PASSWORD
        made["password_tries"] = 6 if old.tries is None else min(old.tries, 15)
    return made


def _updates(incident: Incident) -> dict[str, dict[str, str]]:
    wanted = next((turn.files for turn in incident.turns if turn.files), {})
    if not wanted:
        return {}
    known = {
        file: {item: _VALUES[file][item] for item in items if item in _VALUES.get(file, {})}
        for file, items in wanted.items()
    }
    return {file: items for file, items in known.items() if items} or {
        file: dict(items) for file, items in _VALUES.items()
    }


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else []
