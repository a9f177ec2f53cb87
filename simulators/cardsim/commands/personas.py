"""`cardsim personas`: what cards come with the simulator."""

import click

from cardsim.card.make import make_chip
from cardsim.persona import (
    MedicalInsurancePersona,
    Persona,
    PsamPersona,
    SocialSecurityPersona,
    load_persona,
    shipped,
)


@click.command(name="personas")
def command() -> None:
    """List the cards that come with the simulator: obviously invented people and keys."""
    rows = [(name, *_describe(load_persona(name))) for name in shipped()]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for *cells, last in rows:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)), last]))


def _describe(persona: Persona) -> tuple[str, str, str]:
    """Return kind, interfaces and what stands out."""
    answers = make_chip(persona).answers
    interfaces = [name for name in ("contact", "contactless") if getattr(answers, name) is not None]
    return persona.card.card, "+".join(interfaces), _remark(persona)


def _remark(persona: Persona) -> str:
    card = persona.card
    if isinstance(card, SocialSecurityPersona):
        return f"{card.profile} {card.holder.name} {card.card_number}"
    if isinstance(card, MedicalInsurancePersona):
        return f"{card.kind} {card.number}"
    assert isinstance(card, PsamPersona)  # noqa: S101 # the type checker's proof that no kind was forgotten
    return f"{card.level} {' '.join(card.algorithms)}"
