"""`cardsim personas`: what cards come with the simulator."""

import click

from cardsim import toggles
from cardsim.card.make import make_chip
from cardsim.persona import (
    MedicalInsurancePersona,
    MemoryPersona,
    Persona,
    PsamPersona,
    SocialSecurityPersona,
    load_persona,
    shipped,
)


@click.command(name="personas", short_help="list the cards there are")
@click.option("--toggles", "listed", is_flag=True, help="List instead how cards may differ: name, values, clause.")
def command(listed: bool) -> None:  # noqa: FBT001 # click's way
    """List the cards that come with the simulator: obviously invented people and keys.

    With --toggles, list what a persona may say under `toggles`: each name with its values, that of a card which says
    nothing first, the clause that leaves it open, and what it decides.
    """
    if listed:
        _print([(row.name, "|".join(row.values), row.clause, row.decides) for row in toggles.rows()])
    else:
        _print([(name, *_describe(load_persona(name))) for name in shipped()])


def _print(rows: list[tuple[str, str, str, str]]) -> None:
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
    if isinstance(card, MedicalInsurancePersona | MemoryPersona):
        return f"{card.kind} {card.number}"
    assert isinstance(card, PsamPersona)  # noqa: S101 # the type checker's proof that no kind was forgotten
    return f"{card.level} {' '.join(card.algorithms)}"
