"""`cardctl write`."""

from typing import BinaryIO

import click
import msgspec

from cardd.ctl.common import Terminal, command
from cardd.ctl.completing import reader_argument
from cardd.ctl.once import REQUEST, once
from cardd.ctl.prompting import call_with_prompts, of_request
from cardd.wire.deeds import CardWriteParams, CardWriteResult
from cardd.wire.methods import CARD_WRITE


@click.command()
@click.argument("file", type=click.File("rb"))
@reader_argument
@click.option("--pin", is_flag=True, help="Read back with the holder's password, which is asked for.")
@REQUEST
@command
def write(terminal: Terminal, file: BinaryIO, reader: str | None, request: str | None, *, pin: bool) -> None:
    """Write to the card in READER what FILE (`-`: standard input) says, once, and read it back.

    FILE is JSON: {"DF01EF15": {"2A": "21"}}, files, items, and texts as `read --json` shows them.
    """
    try:
        files = msgspec.json.decode(file.read(), type=dict[str, dict[str, str]])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise click.UsageError('FILE is not as {"DF01EF15": {"2A": "21"}}') from None
    with once(terminal, request) as identity:
        params = CardWriteParams(reader=reader, files=files, request=identity, with_pin=pin)
        terminal.print(call_with_prompts(terminal, CARD_WRITE, params, of_request(identity)), CARD_WRITE, _show)


def _show(result: CardWriteResult) -> None:
    for name, items in result.written.items():
        doubt = "  (not read back)" if name in result.unchecked else ""
        click.echo(f"{name}: {', '.join(items)} written{doubt}")
