"""`cardctl metrics`."""

import click

from cardd.ctl.common import Terminal, command
from cardd.wire.methods import SYSTEM_METRICS
from cardd.wire.system import NoParams, SystemMetricsResult


@click.command()
@command
def metrics(terminal: Terminal) -> None:
    """Print the daemon's counters and times as OpenMetrics, as a scraper takes them."""
    terminal.ask(SYSTEM_METRICS, NoParams(), _show)


def _show(result: SystemMetricsResult) -> None:
    click.echo(result.text, nl=False)
