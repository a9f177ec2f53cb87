"""Values that a shell may complete: asked of the daemon, and none where it does not answer at once."""

from collections.abc import Callable
from typing import Final, TypeVar

import click

from cardd.client.blocking import Client
from cardd.client.errors import CallError, ProtocolError, UnreachableError
from cardd.wire.activation import ActivationListParams
from cardd.wire.methods import ACTIVATION_LIST, READERS_LIST
from cardd.wire.system import NoParams

F = TypeVar("F", bound=Callable[..., object])

_MOST: Final = 100


def readers(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of readers that begin so."""
    return _beginning(
        context, incomplete, lambda client: [one.reader for one in client.call(READERS_LIST, NoParams()).readers]
    )


def activations(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return the open activations that begin so."""
    asked = ActivationListParams(open_only=True, limit=_MOST)
    return _beginning(
        context, incomplete, lambda client: [one.activation for one in client.call(ACTIVATION_LIST, asked).activations]
    )


def reader_argument(function: F) -> F:
    """Give a command READER, which may be left out with one card in."""
    return click.argument("reader", required=False, shell_complete=readers)(function)


def _beginning(context: click.Context, incomplete: str, names: Callable[[Client], list[str]]) -> list[str]:
    try:
        with Client.connect(_socket(context)) as client:
            return [name for name in names(client) if name.startswith(incomplete)]
    except (UnreachableError, CallError, ProtocolError, TimeoutError):
        return []


def _socket(context: click.Context) -> str | None:
    """Return the socket that was named before or behind the command."""
    root = context.find_root()
    return context.params.get("socket") or root.params.get("socket")
