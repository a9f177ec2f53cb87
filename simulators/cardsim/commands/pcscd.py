"""`cardsim pcscd`: trouble for the laboratory's pcscd."""

import os
from pathlib import Path

import click

from cardsim.control import order


@click.command(name="pcscd", short_help="kill, stop, continue or restart a laboratory's pcscd")
@click.argument("what", type=click.Choice(["kill", "stop", "continue", "restart"]))
@click.option(
    "--dir",
    "directory",
    required=True,
    envvar="CARDSIM_DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="The laboratory's directory. Default: CARDSIM_DIR.",
)
def command(what: str, directory: Path) -> int:
    """Trouble a laboratory's pcscd: `kill` it (it stays away), `stop` it and let it `continue`, `restart` it."""
    print(order(directory, "pcscd", order=what))
    return os.EX_OK
