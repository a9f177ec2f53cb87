"""`cardctl watch`."""

from collections.abc import Mapping

import click

from cardd.client.messages import Arrival
from cardd.ctl.common import Terminal, both, command, say_lost, scalar
from cardd.wire.base import Json
from cardd.wire.events import NOW, Event, EventsSubscribeParams, short_type


@click.command()
@click.option("--after", default=NOW, metavar="CURSOR", help="A cursor, `now` (the default) or `earliest`.")
@click.option("--types", multiple=True, metavar="GLOB", help="Types wanted, such as `card.*`; may be repeated.")
@click.option("--reader", "readers", multiple=True, metavar="GLOB", help="Readers or stations; may be repeated.")
@click.option("--purpose", help="What whole personal data are needed for; goes on record. Without it they are masked.")
@command
def watch(
    terminal: Terminal, after: str, types: tuple[str, ...], readers: tuple[str, ...], purpose: str | None
) -> None:
    """Print events until Ctrl-C; with --json each with its cursor, to go on `--after` it.

    A restart of the daemon is outlived: the watch waits for it and goes on where it was, no event left out and none
    twice. Exit code 65 if the daemon no longer has what comes next.
    """
    params = EventsSubscribeParams(
        after=after,
        types=list(types) or None,
        readers=list(readers) or None,
        personal=purpose is not None,
        purpose=purpose,
    )
    with terminal.watch(params, lost=say_lost) as watching:
        for arrival in watching.events():
            _print(terminal, arrival)


def _print(terminal: Terminal, arrival: Arrival) -> None:
    click.echo(arrival.raw if terminal.as_json else line_of(arrival.event))


def line_of(event: Event) -> str:
    """Return an event on one line: time of day, type, subject, what it says, the sentences last."""
    text = event.data.get("text")
    facts = [f"{key}={_brief(value)}" for key, value in event.data.items() if key != "text" and value is not None]
    sentence = both({key: str(value) for key, value in text.items()}) if isinstance(text, Mapping) else ""
    parts = [event.time[11:19], f"{short_type(event.type):<22}", event.subject or "-", *facts, sentence]
    return "  ".join(part for part in parts if part)


def _brief(value: Json) -> str:
    """Return a value on one line; of a prompt, its sentence."""
    if isinstance(value, Mapping):
        text = value.get("text")
        if isinstance(text, Mapping):
            return both({key: str(part) for key, part in text.items()})
        return "{" + ", ".join(f"{key}={_brief(part)}" for key, part in value.items() if part is not None) + "}"
    if isinstance(value, list):
        return ",".join(map(_brief, value))
    return scalar(value)
