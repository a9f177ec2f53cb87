"""`cardsim insert`: a card into a reader."""

import os
from pathlib import Path

import click

from cardsim.control import order
from cardsim.persona import load_persona, shipped


@click.command(name="insert", short_help="put a card into a reader")
@click.argument("persona")
@click.argument("reader")
@click.option("--as", "name", default="", help="Which physical card this is. Default: the persona's name.")
@click.option("--fresh", is_flag=True, help="A new card under that name: what was done to the old one is forgotten.")
@click.option(
    "--interface",
    default="",
    type=click.Choice(["", "contact", "contactless"]),
    help="Default: contact, if the card has that.",
)
@click.option("--record", default="", metavar="TRACE", help="Write this stay's exchanges down (JSON lines).")
@click.option("--record-pins", is_flag=True, help="Do not mask PINs in the trace.")
@click.option(
    "--dir",
    "directory",
    required=True,
    envvar="CARDSIM_DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="The laboratory's directory. Default: CARDSIM_DIR.",
)
def command(
    persona: str,
    reader: str,
    name: str,
    fresh: bool,  # noqa: FBT001 # click's way
    interface: str,
    record: str,
    record_pins: bool,  # noqa: FBT001 # click's way
    directory: Path,
) -> int:
    """Put PERSONA's card (a shipped name, or a YAML file) into READER; return when pcscd has seen it.

    READER is a reader's name, a part of it that fits only one, or its index from 0. In a laboratory a name is one
    physical card: what was done to it stays when it is taken out. A trace holds the holder's data as the card told
    them, and no PIN; `cardsim replay` plays it.
    """
    # told here with line and column, before anything is done
    load_persona(persona)
    # the laboratory may run in another directory
    where = persona if persona in shipped() else str(Path(persona).absolute())
    done = order(
        directory,
        "insert",
        persona=where,
        reader=reader,
        name=name,
        fresh=fresh,
        interface=interface,
        record=str(Path(record).absolute()) if record else "",
        record_pins=record_pins,
    )
    print(done)
    return os.EX_OK
