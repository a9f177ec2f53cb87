"""A counter reader and readers for security modules on scripted slots, with virtual cards in them."""

from collections.abc import Iterable
from pathlib import Path

from cardd.keys.psam import PsamKeys
from cardd.readers.config import ReaderConfig, ReaderMatch, Role, StationConfig
from cardsim.card.make import make_card
from cardsim.persona import load_persona
from support.readers import Card, Rig, ScriptedBackend


def virtual(persona: str | Path, interface: str = "contact") -> Card:
    """Lay a virtual card into a scripted slot's hands; `commands` of the result is what reaches it."""
    card = make_card(load_persona(persona), interface=interface)
    return Card(card.power_on(), card.transmit)


class Desk(Rig):
    """A station with the reader `front` and the module readers `sam`, `sam 2`; and others, where they are named."""

    def __init__(self, *others: str) -> None:
        rules = (
            ReaderConfig(ReaderMatch(name="front")),
            ReaderConfig(ReaderMatch(name="sam*"), Role.SAM),
            *(ReaderConfig(ReaderMatch(name=name)) for name in others),
        )
        super().__init__(ScriptedBackend("front", "sam", "sam 2", *others), (StationConfig("desk", readers=rules),))
        self.keys = PsamKeys(self.readers)

    async def with_modules(self, personas: Iterable[str | Path]) -> list[Card]:
        """Put modules into the module readers, in order, and return them."""
        modules = [virtual(persona) for persona in personas]
        for name, module in zip(("sam", "sam 2"), modules, strict=False):
            await self.insert(name, module)
        return modules
