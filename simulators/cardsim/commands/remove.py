"""`cardsim remove`: a card out of a reader."""

import os
from pathlib import Path

import click

from cardsim.control import order


@click.command(name="remove", short_help="take the card out of a reader")
@click.argument("reader")
@click.option(
    "--dir",
    "directory",
    required=True,
    envvar="CARDSIM_DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="The laboratory's directory. Default: CARDSIM_DIR.",
)
def command(reader: str, directory: Path) -> int:
    """Take the card out of READER (a name, a part of it, or an index from 0); return when pcscd has seen it."""
    print(order(directory, "remove", reader=reader))
    return os.EX_OK
