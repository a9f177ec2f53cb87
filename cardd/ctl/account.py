"""`cardctl account`."""

import re
from collections.abc import Callable
from typing import Final

import click

from cardd.ctl.common import Terminal, command, scalar, table
from cardd.ctl.completing import reader_argument
from cardd.ctl.once import REQUEST, once
from cardd.ctl.prompting import at_card, call_with_prompts, card_in, of_request
from cardd.wire.accounts import (
    AccountBalanceParams,
    AccountBalanceResult,
    AccountDebitParams,
    AccountLoadParams,
    AccountMoved,
    AccountProofParams,
    AccountProofResult,
    AccountRecord,
    AccountRecordsParams,
    AccountRecordsResult,
    AccountStartingDayParams,
    AccountStartingDayResult,
)
from cardd.wire.methods import (
    ACCOUNT_BALANCE,
    ACCOUNT_DEBIT,
    ACCOUNT_LOAD,
    ACCOUNT_PROOF,
    ACCOUNT_RECORDS,
    ACCOUNT_SET_STARTING_DAY,
)

_FEN: Final = 100
_HEADINGS: Final = ("SEQUENCE", "TIME", "TYPE", "ACCOUNT", "SELF PAID", "POOL", "TERMINAL", "ERROR")
_YUAN: Final = re.compile(r"([0-9]{1,8})(?:\.([0-9]{1,2}))?")


class Yuan(click.ParamType[int]):
    """An amount as people write it, `12.50`; fen to the daemon."""

    name = "yuan"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return fen."""
        if isinstance(value, int):
            return value
        found = _YUAN.fullmatch(str(value))
        if found is None:
            self.fail(f"{value} is no amount: write yuan, such as 12.50", param, ctx)
        return int(found[1]) * _FEN + int((found[2] or "").ljust(2, "0"))


@click.group()
def account() -> None:
    """Look at, debit or load the medical account of the card in a reader. Amounts are in yuan, such as 12.50.

    With --json the answers are the socket's, in fen.
    """


@account.command()
@reader_argument
@click.option("--pin", is_flag=True, help="With the holder's password, for cards that want it even for this.")
@command
def balance(terminal: Terminal, reader: str | None, *, pin: bool) -> None:
    """Read the balance and the two sums of the payment year."""
    if pin:
        insertion = card_in(terminal, reader)
        params = AccountBalanceParams(reader=reader, insertion=insertion, with_pin=True)
        mine = at_card(ACCOUNT_BALANCE.name, insertion)
        terminal.print(call_with_prompts(terminal, ACCOUNT_BALANCE, params, mine), ACCOUNT_BALANCE, _show_balance)
    else:
        terminal.ask(ACCOUNT_BALANCE, AccountBalanceParams(reader=reader), _show_balance)


@account.command()
@reader_argument
@click.option("--limit", type=click.IntRange(1, 254), default=254, help="At most so many.")
@command
def records(terminal: Terminal, reader: str | None, limit: int) -> None:
    """List the transactions that the card keeps, the newest first. The holder's password is asked for."""
    insertion = card_in(terminal, reader)
    params = AccountRecordsParams(reader=reader, insertion=insertion, limit=limit)
    mine = at_card(ACCOUNT_RECORDS.name, insertion)
    terminal.print(call_with_prompts(terminal, ACCOUNT_RECORDS, params, mine), ACCOUNT_RECORDS, _show_records)


@account.command()
@reader_argument
@click.option("--account", "taken", type=Yuan(), required=True, metavar="YUAN", help="Taken from the account.")
@click.option("--self-paid", type=Yuan(), default=0, metavar="YUAN", help="Added to the year's sum paid by oneself.")
@click.option("--pool", type=Yuan(), default=0, metavar="YUAN", help="Added to the year's sum paid by the pool.")
@REQUEST
@command
def debit(terminal: Terminal, reader: str | None, taken: int, self_paid: int, pool: int, request: str | None) -> None:
    """Take money from the account, once. The holder's password is asked for."""
    with once(terminal, request) as identity:
        params = AccountDebitParams(reader=reader, request=identity, account=taken, self_paid=self_paid, pool=pool)
        show: Callable[[AccountMoved], None] = _show_moved
        terminal.print(call_with_prompts(terminal, ACCOUNT_DEBIT, params, of_request(identity)), ACCOUNT_DEBIT, show)


@account.command()
@click.argument("amount", type=Yuan(), metavar="YUAN")
@reader_argument
@REQUEST
@command
def load(terminal: Terminal, amount: int, reader: str | None, request: str | None) -> None:
    """Put YUAN on the account, once. The holder's password is asked for."""
    with once(terminal, request) as identity:
        params = AccountLoadParams(reader=reader, request=identity, amount=amount)
        terminal.print(
            call_with_prompts(terminal, ACCOUNT_LOAD, params, of_request(identity)), ACCOUNT_LOAD, _show_moved
        )


@account.command()
@click.argument("request")
@reader_argument
@command
def proof(terminal: Terminal, request: str, reader: str | None) -> None:
    """Ask the card what became of the debit or load with the id REQUEST."""
    params = AccountProofParams(reader=reader, request=request)
    terminal.print(call_with_prompts(terminal, ACCOUNT_PROOF, params, of_request(request)), ACCOUNT_PROOF, _show_proof)


@account.command()
@click.argument("day", metavar="MMDD")
@reader_argument
@REQUEST
@command
def starting_day(terminal: Terminal, day: str, reader: str | None, request: str | None) -> None:
    """Set the day on which the payment year begins, once: 0101 is the first of January. With the issuer's key."""
    with once(terminal, request) as identity:
        params = AccountStartingDayParams(reader=reader, day=day, request=identity)
        terminal.ask(ACCOUNT_SET_STARTING_DAY, params, _show_day)


def _show_balance(result: AccountBalanceResult) -> None:
    click.echo(f"account {_yuan(result.account)}  余额")
    click.echo(f"self paid {_yuan(result.self_paid)}, pool {_yuan(result.pool)}, in {scalar(result.year)}")
    click.echo(f"the payment year begins on {scalar(result.starting_day)}")


def _show_records(result: AccountRecordsResult) -> None:
    if not result.records:
        click.echo("The card keeps no transaction.  卡内没有交易记录。")
        return
    table(_HEADINGS, map(_row, result.records))


def _row(record: AccountRecord) -> tuple[str | None, ...]:
    sums = (_yuan(record.account), _yuan(record.self_paid), _yuan(record.pool))
    return (
        scalar(record.sequence),
        scalar(record.time),
        scalar(record.type),
        *sums,
        scalar(record.terminal),
        record.error,
    )


def _show_moved(result: AccountMoved) -> None:
    told = result.outcome if result.reason is None else f"{result.outcome} ({result.reason})"
    sums = f"account {_yuan(result.account)}, self paid {_yuan(result.self_paid)}, pool {_yuan(result.pool)}"
    click.echo(
        f"{result.request}: {told}; {sums}; before it {_yuan(result.balance_before)}; sequence {result.sequence}"
    )


def _show_proof(result: AccountProofResult) -> None:
    click.echo(f"sequence {result.sequence}: {result.outcome}")


def _show_day(result: AccountStartingDayResult) -> None:
    click.echo(f"the payment year begins on {result.starting_day}")


def _yuan(fen: int | None) -> str:
    return "-" if fen is None else f"{fen // _FEN}.{fen % _FEN:02}"
