"""`cardctl cancel`."""

import click

from cardd.ctl.common import Terminal, command
from cardd.ctl.completing import activations
from cardd.wire.activation import ActivationIdParams, ActivationResult
from cardd.wire.methods import ACTIVATION_CANCEL


@click.command()
@click.argument("activation", shell_complete=activations)
@command
def cancel(terminal: Terminal, activation: str) -> None:
    """Cancel an activation by its ID, while nothing has been asked of the card centre yet."""
    terminal.ask(ACTIVATION_CANCEL, ActivationIdParams(activation=activation), _show)


def _show(result: ActivationResult) -> None:
    click.echo(f"{result.activation}: {result.state}")
