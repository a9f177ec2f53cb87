"""Make a card from a persona."""

from cardsim.card.base import VirtualCard
from cardsim.card.chip import Chip
from cardsim.card.medical import make_medical
from cardsim.card.memory_card import make_memory_card
from cardsim.card.psam import make_psam
from cardsim.card.social import make_social
from cardsim.faults import Faults
from cardsim.persona import MedicalInsurancePersona, MemoryPersona, Persona, SocialSecurityPersona


def make_chip(persona: Persona, *, seed: int | None = None) -> Chip:
    """Return one card with its memory; `Chip.on` gives it as seen through an interface.

    `seed` replaces the persona's own. Raises DocumentError for a persona whose values fit no card.
    """
    chip = _make(persona, seed)
    if persona.card.faults:
        try:
            chip.around = Faults(chip, persona.card.faults).around
        except ValueError as error:
            raise persona.fault("$.faults", str(error)) from None
    return chip


def _make(persona: Persona, seed: int | None) -> Chip:
    card = persona.card
    if isinstance(card, SocialSecurityPersona):
        return make_social(persona, card, seed)
    if isinstance(card, MedicalInsurancePersona):
        return make_medical(persona, card, seed)
    if isinstance(card, MemoryPersona):
        return make_memory_card(persona, card, seed)
    return make_psam(persona, card, seed)


def make_card(persona: Persona, *, interface: str | None = None, seed: int | None = None) -> VirtualCard:
    """Return a card of its own on `contact` or `contactless`; without it, on contacts if the card has them.

    Raises DocumentError as `make_chip` does, ValueError for an interface that the card has not.
    """
    return make_chip(persona, seed=seed).on(interface)
