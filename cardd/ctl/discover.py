"""`cardctl discover`."""

import click
import msgspec

from cardd.ctl.common import Terminal, command
from cardd.wire.methods import RPC_DISCOVER
from cardd.wire.system import Document, NoParams


@click.command()
@command
def discover(terminal: Terminal) -> None:
    """Print the socket's contract as an OpenRPC document: every method, event and reason, with JSON Schema."""
    terminal.ask(RPC_DISCOVER, NoParams(), _show)


def _show(document: Document) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(document)))
