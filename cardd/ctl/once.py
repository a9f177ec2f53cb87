"""Deeds that are done once: an id makes the same deed of two requests, and whoever asks again needs it."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import click

from cardd.ctl.common import Terminal

REQUEST = click.option("--request", metavar="ID", help="An id of your own: the same id is the same deed, done once.")


@contextmanager
def once(terminal: Terminal, request: str | None) -> Iterator[str]:
    """Give the id, a new one where there is none; where it fails, say to people how to ask for the same deed again."""
    identity = request or secrets.token_hex(8)
    try:
        yield identity
    except BaseException:
        if request is None and not terminal.as_json:
            click.echo(f"cardctl: to ask for the same deed again: --request {identity}", err=True)
        raise
