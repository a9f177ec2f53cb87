"""`cardctl incident`."""

from typing import Final

import click
import msgspec

from cardd.ctl.common import Terminal, command
from cardd.wire.incident import ActivationIncidentParams, Incident
from cardd.wire.methods import ACTIVATION_INCIDENT

_HEAD: Final = """\
# What went on in one activation of the social function: no person, no number, no key is in it.
# Run it again with invented people: cardsim run THIS-FILE
"""
_WIDTH: Final = 120


@click.command()
@click.argument("activation")
@command
def incident(terminal: Terminal, activation: str) -> None:
    """Print what went on in the activation with the id ACTIVATION as YAML, for whoever helps: no person is in it.

    In it: each step with its fact, commands by position, status words and times, questions to the centre and what came.
    `cardsim run FILE` makes it happen again with invented people, and tells whether it ends the same. Needs the right
    audit.
    """
    terminal.ask(ACTIVATION_INCIDENT, ActivationIncidentParams(activation=activation), _show)


def _show(account: Incident) -> None:
    # only this command writes YAML
    import yaml  # noqa: PLC0415

    known = {name: value for name, value in msgspec.to_builtins(account).items() if value is not None}
    turns = known.pop("turns")
    click.echo(_HEAD + yaml.safe_dump(known, sort_keys=False, width=_WIDTH) + "turns:" + (" []" if not turns else ""))
    for turn in turns:
        # one step is one paragraph, so that a person can follow them
        said = yaml.safe_dump([turn], sort_keys=False, default_flow_style=None, width=_WIDTH)
        click.echo("\n" + said, nl=False)
