"""`cardctl clear`."""

import click

from cardd.ctl.common import Terminal, command
from cardd.wire.methods import STATION_CLEAR
from cardd.wire.stations import StationClearParams, StationClearResult


@click.command()
@click.argument("station", required=False)
@command
def clear(terminal: Terminal, station: str | None) -> None:
    """Lift the stopped keys of STATION, once the PSAM is the right one, and give its hung readers a new beginning."""
    terminal.ask(STATION_CLEAR, StationClearParams(station=station), _show)


def _show(result: StationClearResult) -> None:
    click.echo(f"{result.station}: {_told('keys', result.lifted)}; {_told('readers', result.forgotten)}")


def _told(what: str, names: list[str]) -> str:
    return f"{what} {', '.join(names)}" if names else f"no {what}"
