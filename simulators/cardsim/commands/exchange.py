"""`cardsim exchange`: a card on standard input and output."""

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Final

import click

from cardd.base.document import DocumentError
from cardsim.card.base import VirtualCard
from cardsim.card.chip import Chip
from cardsim.card.make import make_chip
from cardsim.persona import load_persona
from cardsim.state import load_state, save_state

_LINE: Final = re.compile(
    r"(?P<blank>(?:\#.*)?)|reset\s+(?P<reset>cold|warm)|tear\s+(?P<tear>[0-9]+)|(?P<apdu>(?:[0-9A-Fa-f]{2}\s*)+)"
)


@click.command(name="exchange", short_help="exchange commands with a card")
@click.argument("persona")
@click.option("--interface", type=click.Choice(["contact", "contactless"]), help="Default: contact, if it has that.")
@click.option("--state", type=click.Path(dir_okay=False, path_type=Path), help="Where the card's memory is kept.")
@click.option("--explain", is_flag=True, help="Tell on standard error what decided each status word.")
def command(persona: str, interface: str | None, state: Path | None, explain: bool) -> int:  # noqa: FBT001 # click's way
    """Exchange commands with the card PERSONA (a shipped name, or a YAML file).

    Standard input: hex commands, one a line; `reset cold|warm` prints the answer to reset; `tear N` cuts the power
    during the next command after N bytes of its writing (no answer: an empty line; `reset cold` gives power again).
    Standard output: answers with status word in hex, exactly as the card gives them on that interface.
    """
    chip = make_chip(load_persona(persona))
    if explain:
        chip.tell = lambda text: print(text, file=sys.stderr, flush=True)
    try:
        card = chip.on(interface)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if state is not None:
        load_state(chip, state)
    card.power_on()
    try:
        return serve(chip, card, texts(sys.stdin.buffer))
    finally:
        if state is not None:
            save_state(chip, state)


def texts(stream: BinaryIO) -> Iterable[str]:
    """Yield the lines of a stream, whatever bytes it has."""
    return (line.decode("utf-8", "replace") for line in stream)


def serve(chip: Chip, card: VirtualCard, lines: Iterable[str]) -> int:
    """Answer lines of standard input, each on a line of standard output; return the exit code."""
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line.strip())
        if match is None:
            print(
                DocumentError(Path("<stdin>"), number, 1, "is no hex command, `reset cold|warm` or `tear N`"),
                file=sys.stderr,
            )
            return os.EX_DATAERR
        if match["tear"] is not None:
            chip.machine.memory.cut_after(int(match["tear"]))
        elif match["blank"] is None:
            print(_answer(card, match).hex().upper(), flush=True)
    return os.EX_OK


def _answer(card: VirtualCard, line: re.Match[str]) -> bytes:
    if line["apdu"] is not None:
        return card.transmit(bytes.fromhex(line["apdu"]))
    if line["reset"] == "warm":
        return card.reset()
    card.power_off()
    return card.power_on()
