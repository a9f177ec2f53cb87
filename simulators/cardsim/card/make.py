"""Make a card from a persona."""

from cardsim.card.base import VirtualCard
from cardsim.persona import Persona


def make_card(persona: Persona, *, interface: str | None = None) -> VirtualCard:
    """Return the card on `contact` or `contactless`; without it, on contacts if the card has them."""
    raise NotImplementedError(interface, persona)
