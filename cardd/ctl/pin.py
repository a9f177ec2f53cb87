"""`cardctl pin`."""

import secrets
from collections.abc import Callable

import click

from cardd.ctl.common import Terminal, command
from cardd.ctl.completing import reader_argument
from cardd.ctl.prompting import call_with_prompts, of_request
from cardd.wire.cards import CardChoice
from cardd.wire.deeds import CardPinParams, CardPinQueryResult, CardPinResult
from cardd.wire.methods import (
    CARD_PIN_CHANGE,
    CARD_PIN_QUERY,
    CARD_PIN_RELOAD,
    CARD_PIN_UNBLOCK,
    CARD_PIN_VERIFY,
    Signature,
)

_Deed = Signature[CardPinParams, CardPinResult]
_AT_KEYPAD = click.option(
    "--keypad", "digits", type=click.IntRange(4, 16), metavar="DIGITS", help="Typed at the reader; so many digits."
)


@click.group()
def pin() -> None:
    """Ask about, compare or change the password of the card in a reader.

    Passwords are typed without echo, or are lines of standard input in the order in which they are asked for.
    """


@pin.command()
@reader_argument
@command
def query(terminal: Terminal, reader: str | None) -> None:
    """Tell how many tries are left, which costs none."""
    terminal.ask(CARD_PIN_QUERY, CardChoice(reader=reader), _show_state)


@pin.command()
@reader_argument
@_AT_KEYPAD
@command
def verify(terminal: Terminal, reader: str | None, digits: int | None) -> None:
    """Compare the password on the card. A wrong one costs a try."""
    _do(terminal, CARD_PIN_VERIFY, reader, digits)


@pin.command()
@reader_argument
@_AT_KEYPAD
@command
def change(terminal: Terminal, reader: str | None, digits: int | None) -> None:
    """Set a new password with the old one."""
    _do(terminal, CARD_PIN_CHANGE, reader, digits)


@pin.command()
@reader_argument
@command
def reload(terminal: Terminal, reader: str | None) -> None:
    """Set a new password with the issuer's right, the holder's identity being checked."""
    _do(terminal, CARD_PIN_RELOAD, reader, None)


@pin.command()
@reader_argument
@command
def unblock(terminal: Terminal, reader: str | None) -> None:
    """Give the password all its tries back with the issuer's right."""
    _do(terminal, CARD_PIN_UNBLOCK, reader, None)


def _do(terminal: Terminal, deed: _Deed, reader: str | None, digits: int | None) -> None:
    request = secrets.token_hex(8)
    params = CardPinParams(reader=reader, request=request, keypad_digits=digits)
    show: Callable[[CardPinResult], None] = _show_done
    terminal.print(call_with_prompts(terminal, deed, params, of_request(request)), deed, show)


def _show_state(result: CardPinQueryResult) -> None:
    if not result.set:
        click.echo("no password is set  未设置密码")
    elif result.tries_left == 0:
        click.echo("locked  已锁定")
    else:
        click.echo(f"{result.tries_left} tries left  剩余{result.tries_left}次")


def _show_done(result: CardPinResult) -> None:
    left = "" if result.tries_left is None else f", {result.tries_left} tries left"
    click.echo(f"{result.done}{left}")
