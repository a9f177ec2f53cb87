"""`cardctl readers`."""

from typing import Final

import click

from cardd.ctl.common import Terminal, command, scalar, table
from cardd.wire.cards import CardSummary, ReadersListResult, ReaderView
from cardd.wire.methods import READERS_LIST
from cardd.wire.system import NoParams

_HEADINGS: Final = (
    *("READER", "STATION", "ROLE", "STATE"),
    *("CARD", "NUMBER", "GENUINE"),
    *("SERIAL", "USB", "DEVICE"),
)


@click.command()
@command
def readers(terminal: Terminal) -> None:
    """List the readers and what is in them."""
    terminal.ask(READERS_LIST, NoParams(), _show)


def _show(result: ReadersListResult) -> None:
    if not result.readers:
        click.echo("There is no reader. Plug one in.  没有读卡器，请连接。")
        return
    table(_HEADINGS, map(_row, result.readers))


def _row(view: ReaderView) -> tuple[str | None, ...]:
    return (view.reader, view.station, view.role, view.state, *_card(view.card), view.serial, view.usb, view.device)


def _card(card: CardSummary | None) -> tuple[str | None, ...]:
    if card is None:
        return (None, None, None)
    kind = f"{card.kind} {card.generation}" if card.generation else str(card.kind)
    return (kind, card.number, scalar(card.authentic))
