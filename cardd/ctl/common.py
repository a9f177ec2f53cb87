"""What every command shares: the options that may stand before or behind its name, connecting, and printing."""

import functools
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Concatenate, ParamSpec, TypeVar

import click

from cardd.base.structs import Struct
from cardd.client.blocking import Client, Watch
from cardd.client.messages import typed
from cardd.client.resume import Reconnect
from cardd.wire.base import Params
from cardd.wire.events import EventsSubscribeParams
from cardd.wire.methods import Signature

A = ParamSpec("A")
P = TypeVar("P", bound=Params)
R = TypeVar("R")


class Terminal(Struct, frozen=True):
    """Where the command's answers go, and in which form."""

    socket: str | None
    as_json: bool

    def connect(self) -> Client:
        """Connect to the daemon. Raises UnreachableError."""
        return Client.connect(self.socket)

    def watch(
        self, params: EventsSubscribeParams, *, lost: Callable[[Exception], None], patience_s: float | None = None
    ) -> Watch:
        """Subscribe to events over as many connections as it takes. Raises UnreachableError where there is no daemon.

        `lost` is called once for each connection that was lost; without a daemon for `patience_s` it is given up.
        """
        return Watch(params, path=self.socket, reconnect=Reconnect(lost=lost, patience_s=patience_s))

    def ask(self, signature: Signature[P, R], params: P, show: Callable[[R], None], *, wait_s: float = 0) -> None:
        """Ask once and print: the result's JSON on a line, or what `show` makes of it."""
        with self.connect() as client:
            self.print(client.call_raw(signature.name, params, wait_s=wait_s), signature, show)

    def print(self, raw: bytes, signature: Signature[P, R], show: Callable[[R], None]) -> None:
        """Print one result."""
        if self.as_json:
            click.echo(raw)
        else:
            show(typed(raw, signature.result))


class Seconds(click.FloatRange):
    """A time to wait."""

    name = "number of seconds"


def command(function: Callable[Concatenate[Terminal, A], R]) -> Callable[A, R]:
    """Give a command `--socket` and `--json`, which may also stand before its name, as its first argument."""

    @click.option("--socket", metavar="PATH", help="The daemon's socket.")
    @click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
    @click.pass_context
    @functools.wraps(function)
    def wrapped(context: click.Context, /, *args: A.args, **options: A.kwargs) -> R:
        before: Mapping[str, object] = context.obj or {}
        socket = options.pop("socket") or before.get("socket")
        as_json = bool(options.pop("as_json") or before.get("as_json"))
        return function(Terminal(str(socket) if socket else None, as_json), *args, **options)

    return wrapped


def say_lost(_: Exception) -> None:
    """Say that a watch waits for the daemon."""
    click.echo("cardctl: the connection is lost; waiting for the daemon.  连接已断开，等待守护进程。", err=True)


def table(heads: Sequence[str], rows: Iterable[Sequence[str | None]]) -> None:
    """Print rows in columns; what is not there shows as a dash."""
    lines = [list(heads), *([cell or "-" for cell in row] for row in rows)]
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def tree(value: object, indent: str = "") -> None:
    """Print an open JSON object: one line a member, what is inside it indented."""
    members = value.items() if isinstance(value, Mapping) else enumerate(value if isinstance(value, list) else [])
    for key, inner in members:
        if isinstance(inner, Mapping | list) and inner:
            click.echo(f"{indent}{key}:")
            tree(inner, indent + "  ")
        else:
            click.echo(f"{indent}{key}: {scalar(inner)}")


def scalar(value: object) -> str:
    """Return a value as people write it."""
    match value:
        case None | [] | {}:
            return "-"
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)


def both(text: Mapping[str, str] | None) -> str:
    """Return a sentence in both languages on one line."""
    return "  ".join((text or {}).get(language, "") for language in ("en", "zh-CN")).strip()


def _width(text: str) -> int:
    """Count the terminal's columns: wide characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1 for character in text)
