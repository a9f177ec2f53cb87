"""Make a card from a persona."""

import time
from functools import partial

from cardsim.card.base import VirtualCard
from cardsim.card.chip import Chip
from cardsim.card.medical import make_medical
from cardsim.card.memory_card import make_memory_card
from cardsim.card.psam import make_psam
from cardsim.card.social import make_social
from cardsim.fault_list import Twin
from cardsim.faults import Faults, ImpossibleFaultError, Sleep
from cardsim.persona import MedicalInsurancePersona, MemoryPersona, Persona, SocialSecurityPersona, load_persona
from cardsim.stranger import stranger


def make_chip(persona: Persona, *, seed: int | None = None, sleep: Sleep = time.sleep) -> Chip:
    """Return one card with its memory; `Chip.on` gives it as seen through an interface.

    `seed` replaces the persona's own, `sleep` is how a slow card takes its time (seconds). Raises DocumentError for a
    persona whose values fit no card.
    """
    chip = _make(persona, seed)
    if persona.card.faults:
        try:
            chip.around = Faults(chip, persona.card.faults, sleep, partial(make_twin, persona, seed=seed)).around
        except ImpossibleFaultError as error:
            raise persona.fault(f"$.faults{error.place}", str(error)) from None
    return chip


def make_twin(persona: Persona, fault: Twin, *, seed: int | None = None) -> Chip:
    """Return the chip that takes the place of a persona's card: another card of it, or of the persona that is named.

    It has no faults of its own. Raises ValueError for a card of another kind, DocumentError for a broken persona.
    """
    if fault.persona is None:
        return _make(stranger(persona), seed)
    found = load_persona(fault.persona)
    if type(found.card) is not type(persona.card):
        raise ValueError(
            f"`{found.name}` is a card of another kind ({found.card.card}), which no reader mistakes for it"
        )
    return _make(found, seed)


def _make(persona: Persona, seed: int | None) -> Chip:
    card = persona.card
    if isinstance(card, SocialSecurityPersona):
        return make_social(persona, card, seed)
    if isinstance(card, MedicalInsurancePersona):
        return make_medical(persona, card, seed)
    if isinstance(card, MemoryPersona):
        return make_memory_card(persona, card, seed)
    return make_psam(persona, card, seed)


def make_card(
    persona: Persona, *, interface: str | None = None, seed: int | None = None, sleep: Sleep = time.sleep
) -> VirtualCard:
    """Return a card of its own on `contact` or `contactless`; without it, on contacts if the card has them.

    Raises DocumentError as `make_chip` does, ValueError for an interface that the card has not.
    """
    return make_chip(persona, seed=seed, sleep=sleep).on(interface)
