"""What hands do with cards: whether the card is there, and is such that it can be done."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from cardd.rules.files import FILES
from cardd.rules.layout import Structure
from cardsim.card.image import take_image
from cardsim.card.make import make_chip
from cardsim.persona import MemoryPersona, Persona, SocialSecurityPersona, load_persona, shipped
from cardsim.scenario import model
from cardsim.scenario.expect import at, card_view
from cardsim.scenario.expected import CardIs
from cardsim.scenario.known import impossible, meant
from cardsim.scenario.model import AnyStep
from cardsim.scenario.names import Scope, group_of, unknown_name
from cardsim.scenario.plan import Key, Keys, Read
from cardsim.scenario.samples import sorts_of

_TAG: Final = re.compile(r"([0-9A-F]{2})(:[0-9]+)?")
_GROWING: Final = frozenset({"key_tries", "vault"})
"""What a card may have more of than it was issued with."""


def wrong_with_cards(read: Read, step: AnyStep, scope: Scope) -> Iterator[tuple[Keys, str]]:
    """Yield cards that nobody has, faults and interfaces that a card cannot have, and what no card remembers."""
    keys, said = _card_in(step)
    if said is None or "{" in said:
        return
    problem = _nobodys(read, scope, said)
    if problem is not None:
        yield keys, problem
        return
    cards = tuple(_cards(read, scope, said))
    if isinstance(step, model.Insert | model.Swap):
        yield from _impossible(step, cards)
    if isinstance(step, model.Expect):
        for path in step.expect.where:
            yield from ((("expect", "where", Key(path)), one) for one in _unremembered(path, cards))


def _card_in(step: AnyStep) -> tuple[Keys, str | None]:
    match step:
        case model.Insert():
            return ("insert",), step.insert
        case model.Swap():
            return ("swap",), step.swap
        case model.Expect(expect=CardIs()):
            return ("expect", "card"), step.expect.card  # type: ignore[union-attr] # as the pattern says
        case _:
            return (), None


def _nobodys(read: Read, scope: Scope, said: str) -> str | None:
    # the names of shipped cards have dots in them: social-jia-3.0
    if said in read.cards or said in shipped():
        return None
    person, dot, alias = said.partition(".")
    own = [name for name in read.cards if "." not in name]
    people = {*scope.people, *read.scenario.people}
    if not dot or person not in people:
        known = ", ".join([*own, *shipped()])
        return f"no card and nobody's card `{said}`: cards are {known}; people {', '.join(sorted(people)) or 'none'}"
    group = group_of(read, scope, person)
    if group is None:
        return unknown_name(read, scope, person)
    aliases = _aliases(read, group)
    return None if alias in aliases else f"`{person}` has no card `{alias}`{meant(alias, aliases)}"


def _aliases(read: Read, group: str) -> Sequence[str]:
    people = read.scenario.people[group]
    if people.generate is None:
        return tuple(people.cards)
    return tuple(dict.fromkeys(alias for one in sorts_of(people.generate) for alias in one.cards))


def _cards(read: Read, scope: Scope, said: str) -> Iterator[Persona]:
    """Yield a card of each sort that a name may stand for."""
    if said in read.cards or said in shipped():
        yield read.cards.get(said) or load_persona(said)
        return
    person, _, alias = said.partition(".")
    name = group_of(read, scope, person)
    assert name is not None  # noqa: S101 # somebody is called so
    group = read.scenario.people[name]
    if group.generate is None:
        yield read.cards[f"{name}.{alias}"]
        return
    for one in sorts_of(group.generate):
        yield Persona(said, read.path, one.cards[alias])


def _impossible(step: model.Insert | model.Swap, cards: Sequence[Persona]) -> Iterator[tuple[Keys, str]]:
    for persona in cards:
        sort = f" (on a card of theirs that is {_sort(persona)})" if len(cards) > 1 else ""
        answers = make_chip(persona).answers
        if step.interface is not None and getattr(answers, step.interface) is None:
            other = "contact" if step.interface == "contactless" else "contactless"
            yield ("interface",), f"the card has no interface `{step.interface}`: write {other}, or nothing{sort}"
        for field, problem in impossible(step.faults, persona) if step.faults else ():
            number, _, name = field.removeprefix("[").partition("]")
            yield ("faults", int(number), *name.split(".")[1:]), f"{problem}{sort}"


def _sort(persona: Persona) -> str:
    card = persona.card
    if isinstance(card, SocialSecurityPersona):
        return f"{card.profile} with {card.algorithm}"
    return card.kind if isinstance(card, MemoryPersona) else "cpu"


# -- what a card remembers


def _unremembered(path: str, cards: Sequence[Persona]) -> Iterator[str]:
    for persona in cards:
        view = card_view(take_image(make_chip(persona).machine), persona.card)
        if not any(True for _ in at(view, path)) and not _may_come(view, path, persona):
            sort = f" (on one that is {_sort(persona)})" if len(cards) > 1 else ""
            yield f"a card remembers nothing called `{path}`{_hint(view, path)}{sort}"
            return


def _may_come(view: Mapping[str, object], path: str, persona: Persona) -> bool:
    """Say whether what a path leads to may yet be written on the card: a record, a key."""
    first, _, rest = path.partition(".")
    name, _, part = rest.partition(".")
    if first == "applications":
        return part.partition(".")[0] in _GROWING and any(True for _ in at(view, f"{first}.{name}"))
    files = view["files"]
    if first != "files" or not isinstance(files, Mapping) or name not in files or name not in FILES:
        return False
    rule, tag = FILES[name], _TAG.fullmatch(part)
    if rule.structure is Structure.CYCLIC:
        return part.partition(".")[0].isdecimal() or part.startswith("*")
    if part.startswith("*") or not isinstance(persona.card, SocialSecurityPersona):
        return True
    return tag is not None and int(tag[1], 16) in {*(item.tag for item in rule.items), *rule.undescribed}


def _hint(view: Mapping[str, object], path: str) -> str:
    """Say what there would be at the first word of a path that leads nowhere."""
    before: object = view
    for word in path.split("."):
        found = list(at(before, word))
        if not found:
            known = list(map(str, before)) if isinstance(before, Mapping) else []
            return meant(word, known) if known else ": nothing goes on from there"
        before = found[0]
    return ""
