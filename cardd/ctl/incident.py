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
    click.echo(written(account), nl=False)


def written(account: Incident) -> str:
    """Return an account as YAML: its head, then a paragraph for each step, so that a person can follow them."""
    # only this command writes YAML
    import yaml  # noqa: PLC0415

    def said(value: object) -> str:
        text: str = yaml.safe_dump(value, sort_keys=False, default_flow_style=None, width=_WIDTH)
        return text

    known = {name: value for name, value in msgspec.to_builtins(account).items() if value is not None}
    turns = known.pop("turns")
    return "\n".join([_HEAD + said(known) + ("turns:" if turns else "turns: []"), *map(said, ([one] for one in turns))])
