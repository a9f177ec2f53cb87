"""`cardctl read`."""

import click
import msgspec

from cardd.ctl.common import Seconds, Terminal, command, tree
from cardd.ctl.completing import reader_argument
from cardd.wire.cards import CardReadParams, CardReadResult
from cardd.wire.methods import CARD_READ


@click.command()
@reader_argument
@click.option("--files", metavar="ADDRESS", help="What to read, in the driver's grammar: SSSEEF05|01|07|$DF04EF08|$")
@click.option("--wait", "wait_s", type=Seconds(0, 3600), metavar="SECONDS", help="Wait for a card.")
@click.option("--purpose", help="What whole personal data are needed for; goes on record. Without it they are masked.")
@click.option("--pin", is_flag=True, help="Open files with the holder's password, which is asked for.")
@command
def read(
    terminal: Terminal,
    reader: str | None,
    files: str | None,
    wait_s: float | None,
    purpose: str | None,
    *,
    pin: bool,
) -> None:
    """Read the card in READER; with one card in, its reader may be left out."""
    params = CardReadParams(reader=reader, files=files, wait_s=wait_s, purpose=purpose)
    if pin:
        # together a seventh of what this program takes to start
        import secrets  # noqa: PLC0415

        from cardd.ctl.prompting import call_with_prompts, of_request  # noqa: PLC0415

        params.with_pin, params.request = True, secrets.token_hex(8)
        terminal.print(call_with_prompts(terminal, CARD_READ, params, of_request(params.request)), CARD_READ, _show)
    else:
        terminal.ask(CARD_READ, params, _show, wait_s=wait_s or 0)


def _show(result: CardReadResult) -> None:
    shown = msgspec.to_builtins(result)
    tree({name: value for name, value in shown.items() if value or name == "authentic"})
