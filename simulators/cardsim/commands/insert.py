"""`cardsim insert`: a card into a reader."""

import os
from pathlib import Path

import click

from cardsim.control import order
from cardsim.persona import load_persona, shipped


@click.command(name="insert")
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
@click.option(
    "--dir",
    "directory",
    required=True,
    envvar="CARDSIM_DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="The laboratory's directory. Default: CARDSIM_DIR.",
)
def command(persona: str, reader: str, name: str, fresh: bool, interface: str, directory: Path) -> int:  # noqa: FBT001 # click's way
    """Put PERSONA's card (a shipped name, or a YAML file) into READER; return when pcscd has seen it.

    READER is a reader's name, a part of it that fits only one, or its index from 0. In a laboratory a name is one
    physical card: what was done to it stays when it is taken out.
    """
    # told here with line and column, before anything is done
    load_persona(persona)
    # the laboratory may run in another directory
    where = persona if persona in shipped() else str(Path(persona).absolute())
    print(order(directory, "insert", persona=where, reader=reader, name=name, fresh=fresh, interface=interface))
    return os.EX_OK
