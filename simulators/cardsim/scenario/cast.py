"""Who is in a run: people, their cards with the seed's random bytes, and what the centre knows of them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from cardd.base.document import load_document
from cardd.register.document import Person as RegisterEntry
from cardd.register.document import RegisterDocument
from cardsim.persona import AnyPersona, Persona, load_persona, shipped
from cardsim.rig import REGISTER
from cardsim.scenario.chance import Chance
from cardsim.scenario.grounds.ground import Card, Stage
from cardsim.scenario.model import Person
from cardsim.scenario.people import Inventor
from cardsim.scenario.plan import Read


class Cast:
    """Everybody and every card of a run. Raises DocumentError for a register that is none."""

    def __init__(self, read: Read, chance: Chance, *, short: bool) -> None:
        self._read = read
        self._chance = chance
        inventor = Inventor()
        self.groups: Final[Mapping[str, Sequence[Person]]] = {
            name: tuple(_people(read, chance, inventor, name, short=short)) for name in read.scenario.people
        }
        self.register: Final = self._register()
        self._numbers: Final = {old.number: old.password for one in self.register.people for old in one.old_cards}

    def has(self, name: str) -> bool:
        """Say whether a card of the scenario's own, or a shipped persona, has that name."""
        return name in self._read.cards or name in shipped()

    def card(self, name: str) -> Card:
        """Return a card of the scenario's own `cards`, or one of a shipped persona. Raises DocumentError."""
        persona = self._read.cards.get(name) or load_persona(name)
        return self._seeded(name, persona.card, persona.path, persona.root)

    def card_of(self, person: Person, alias: str) -> Card | None:
        """Return a person's card, None where they have none of that name."""
        found = person.cards.get(alias)
        if found is None:
            return None
        return self._seeded(f"{person.name}.{alias}", found, self._read.path, "$")

    def password_of(self, number: str) -> str | None:
        """Return what an old card's holder types, None where the card has no password."""
        return self._numbers.get(number)

    def stage(self) -> Stage:
        """Return what a ground sets up."""
        scenario = self._read.scenario
        module = None
        if scenario.psam != "none":
            module = self.card(scenario.psam).persona
        return Stage(scenario, self._read.settings, self.register, module, self._read.path)

    def _seeded(self, name: str, persona: AnyPersona, path: Path, root: str) -> Card:
        seeded = replace(persona, seed=self._chance.number("card", name))
        return Card(name, Persona(name, path, seeded, root))

    def _register(self) -> RegisterDocument:
        named = self._read.scenario.register
        path = REGISTER if named is None else self._read.path.parent / named
        if not path.is_file():
            raise self._read.fault("$.register", f"no file `{named}` beside the scenario")
        base = load_document(path, RegisterDocument)
        own: dict[str, RegisterEntry] = {}
        for group, entry in self._entries():
            number = entry.social_security_number
            if number in own:
                where = f"$.people.{group}.register.social_security_number"
                raise self._read.fault(where, "somebody else has that number: give each person another one")
            own[number] = entry
        if own and named is None:
            # the shipped register is one region's, and invented people come from all
            base = replace(base, region=None)
        others = [entry for entry in base.people if entry.social_security_number not in own]
        return replace(base, people=[*others, *own.values()])

    def _entries(self) -> Iterator[tuple[str, RegisterEntry]]:
        for name, people in self.groups.items():
            for person in people:
                if person.register is not None:
                    yield name, person.register


def _people(read: Read, chance: Chance, inventor: Inventor, name: str, *, short: bool) -> Iterator[Person]:
    group = read.scenario.people[name]
    if group.generate is None:
        cards = {alias: read.cards[f"{name}.{alias}"].card for alias in group.cards}
        yield Person(name, cards, group.register)
        return
    spec = group.generate
    count = spec.short if short and spec.short is not None else spec.count
    invented = inventor.invent(replace(spec, count=count), chance.stream("people", name))
    for number, person in enumerate(invented):
        # a person's name may be another's too
        yield replace(person, name=f"{name}-{number}")
