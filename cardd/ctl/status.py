"""`cardctl status`."""

import click

from cardd.ctl.common import Terminal, command, tree
from cardd.wire.methods import SYSTEM_STATUS
from cardd.wire.system import NoParams


@click.command()
@command
def status(terminal: Terminal) -> None:
    """Show the daemon, its readers' service, keys, authority and journal."""
    terminal.ask(SYSTEM_STATUS, NoParams(), tree)
