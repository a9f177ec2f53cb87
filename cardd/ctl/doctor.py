"""`cardctl doctor`."""

import os
from pathlib import Path

import click
import msgspec

from cardd.ctl.common import Terminal, both, command
from cardd.ctl.health.findings import Finding, Level

SOMETHING_WRONG = 1
_MARKS = {Level.OK: "ok", Level.NOTE: "note", Level.WRONG: "WRONG"}


@click.command()
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The daemon's configuration; else /etc/cardd/cardd.yaml where it is that of the daemon's socket.",
)
@command
def doctor(terminal: Terminal, config: Path | None) -> int:
    """Look at everything that a counter needs, with the daemon up or down, and name each remedy.

    Looks at the way to the daemon and the caller's rights, the smart-card service and polkit, readers and their roles,
    key service, card centre, clock, SQLite and disk. Changes nothing. Exit code 1 when something is wrong.
    """
    # what it looks with is not for the other commands to load
    from cardd.ctl.health.examination import examine  # noqa: PLC0415

    wrong = False
    for finding in examine(terminal.socket, config):
        wrong = wrong or finding.level is Level.WRONG
        if terminal.as_json:
            click.echo(msgspec.json.encode(finding))
        else:
            _show(finding)
    return SOMETHING_WRONG if wrong else os.EX_OK


def _show(finding: Finding) -> None:
    click.echo(f"{_MARKS[finding.level]:<5}  {finding.check:<9}  {both(finding.text)}")
    for sentence in finding.remedy.values():
        click.echo(f"{'':<18}-> {sentence}")
