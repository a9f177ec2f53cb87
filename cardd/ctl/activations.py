"""`cardctl activations`."""

from typing import Final

import click
import msgspec

from cardd.ctl.common import Terminal, command, table, tree
from cardd.wire.activation import ActivationIdParams, ActivationListParams, ActivationListResult, ActivationResult
from cardd.wire.methods import ACTIVATION_GET, ACTIVATION_LIST

_HEADINGS: Final = ("ACTIVATION", "STATION", "ROUTE", "STATE", "OUTCOME", "HOLDER", "STARTED")


@click.command()
@click.argument("activation", required=False)
@click.option("--open", "open_only", is_flag=True, help="Only those that have not ended.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, help="At most so many.")
@click.option("--purpose", help="What whole personal data are needed for; goes on record. Without it they are masked.")
@command
def activations(
    terminal: Terminal, activation: str | None, limit: int, purpose: str | None, *, open_only: bool
) -> None:
    """List activations, the open ones first; or tell all about the one with the id ACTIVATION."""
    if activation is not None:
        terminal.ask(ACTIVATION_GET, ActivationIdParams(activation=activation, purpose=purpose), _show_one)
    elif purpose is not None:
        raise click.UsageError("a list is masked: name one ACTIVATION with --purpose")
    else:
        terminal.ask(ACTIVATION_LIST, ActivationListParams(open_only=open_only, limit=limit), _show)


def _show(result: ActivationListResult) -> None:
    if not result.activations:
        click.echo("There is none.  没有激活业务。")
        return
    table(_HEADINGS, map(_row, result.activations))


def _row(one: ActivationResult) -> tuple[str | None, ...]:
    holder = (one.holder or {}).get("name")
    return (one.activation, one.station, one.route, one.state, one.outcome or one.reason, holder, one.started)


def _show_one(result: ActivationResult) -> None:
    tree({name: value for name, value in msgspec.to_builtins(result).items() if value is not None})
