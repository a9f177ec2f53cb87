"""`cardctl block`."""

import sys
from typing import Literal, cast

import click

from cardd.ctl.common import Terminal, command
from cardd.ctl.completing import reader_argument
from cardd.ctl.once import REQUEST, once
from cardd.wire.deeds import CardBlockParams, CardBlockResult
from cardd.wire.methods import CARD_BLOCK

_What = Literal["card", "SSSE", "DF03", "DF04"]


@click.command()
@click.argument("what", type=click.Choice(["card", "SSSE", "DF03", "DF04"]))
@reader_argument
@click.option("--yes", is_flag=True, help="Do not ask whether it is meant.")
@REQUEST
@command
def block(terminal: Terminal, what: str, reader: str | None, request: str | None, *, yes: bool) -> None:
    """Block an application, or the whole card, in READER for good: no command undoes it.

    Asks first on a terminal, elsewhere it needs --yes. With the issuer's key; needs the right block_card.
    """
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("this cannot be undone: say --yes")
        click.confirm(f"Block {what} for good? 将永久锁定 {what}，继续吗?", abort=True, err=True)
    with once(terminal, request) as identity:
        terminal.ask(CARD_BLOCK, CardBlockParams(reader=reader, what=cast("_What", what), request=identity), _show)


def _show(result: CardBlockResult) -> None:
    click.echo(f"{result.blocked} is blocked  已永久锁定")
