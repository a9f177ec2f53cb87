"""`cardsim record`: a card on standard input and output whose exchanges are written down."""

import sys
from pathlib import Path

import click

from cardsim.card.make import make_chip
from cardsim.commands.exchange import serve, texts
from cardsim.persona import load_persona
from cardsim.trace import RecordingCard


@click.command(name="record", short_help="write an exchange with a card down")
@click.argument("persona")
@click.argument("trace", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--interface", type=click.Choice(["contact", "contactless"]), help="Default: contact, if it has that.")
@click.option("--record-pins", is_flag=True, help="Do not mask PINs in the trace.")
def command(persona: str, trace: Path, interface: str | None, record_pins: bool) -> int:  # noqa: FBT001 # click's way
    """Exchange commands with PERSONA's card as `cardsim exchange` does, and write them down in the file TRACE.

    TRACE is made anew: JSON lines, first {"atr": hex}, then {"c": hex, "r": hex}. `cardsim insert --record` does the
    same for a card in a laboratory's reader, `cardsim replay` plays what was recorded.
    """
    chip = make_chip(load_persona(persona))
    try:
        card = RecordingCard(chip.on(interface), trace, masked=not record_pins)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    card.power_on()
    return serve(chip, card, texts(sys.stdin.buffer))
