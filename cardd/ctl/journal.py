"""`cardctl journal`: an auditor's work, through the socket."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import click
import msgspec

from cardd import auditing
from cardd.base.errors import CarddError
from cardd.ctl.common import Terminal, command
from cardd.ctl.watch import line_of
from cardd.journal import limits
from cardd.journal.limits import Limit
from cardd.wire.events import Event
from cardd.wire.journal import JournalEraseParams, JournalEraseResult, JournalFindParams
from cardd.wire.methods import JOURNAL_ERASE

_LONG_S = 3600.0
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def journal() -> None:
    """Search, prove and export the journal of the running daemon; erase a person from it. Needs the right audit.

    Without a daemon, and for the file of an export: cardd journal.
    """


@journal.command()
@click.option("--token", help="A person, by the token that card.read tells.")
@click.option("--card", help="A card, by its number or identification code.")
@click.option("--activation", help="An activation.")
@click.option("--insertion", help="One stay of a card.")
@click.option("--since", metavar="TIME", help="From this time on, as 2026-05-07T08:00:00+08:00.")
@click.option("--until", metavar="TIME", help="Up to this time.")
@click.option(
    "--types", "--type", "types", multiple=True, metavar="GLOB", help="Types, such as `card.*`; may be repeated."
)
@click.option("--purpose", help="What whole personal data are needed for; goes on record. Without it they are masked.")
@command
def find(terminal: Terminal, /, types: tuple[str, ...], **wanted: str | None) -> None:
    """Print the events of a person, a card, an activation, a time."""
    asked = {name: value for name, value in wanted.items() if value is not None}
    try:
        params = msgspec.convert({**asked, "types": list(types)}, JournalFindParams)
    except msgspec.ValidationError:
        raise click.UsageError("write times as 2026-05-07T08:00:00+08:00") from None
    with terminal.connect() as client:
        for one in auditing.find_at(client, params):
            if terminal.as_json:
                click.echo(msgspec.json.encode(one))
            else:
                click.echo(line_of(msgspec.json.decode(one.event, type=Event)))


@journal.command()
@click.option("--head", "heads", multiple=True, metavar="HEAD", help="A head that was kept elsewhere.")
@click.option("--against", multiple=True, type=_FILE, metavar="FILE", help="An export that was made earlier.")
@click.option("--key", "keys", multiple=True, metavar="KEY", help="Who may have signed: ALGORITHM:HEX.")
@command
def verify(terminal: Terminal, heads: tuple[str, ...], against: tuple[Path, ...], keys: tuple[str, ...]) -> int:
    """Have the journal's chain recomputed, and held against what was kept elsewhere. Exit code 65 if it was altered."""
    with _usage():
        brought = auditing.kept(heads, against, keys)
    with terminal.connect() as client:
        report = auditing.verify_at(client, brought)
    click.echo(msgspec.json.encode(report) if terminal.as_json else auditing.sentence(report))
    return os.EX_OK if report.whole else os.EX_DATAERR


@journal.command()
@click.option("--output", type=_FILE, metavar="FILE", help="A new file; left out: standard output.")
@click.option("--after", metavar="PLACE", help="Only what follows this: a sequence, a cursor, or a time.")
@click.option("--until", metavar="PLACE", help="Only up to this: a sequence, a cursor, or a time.")
@command
def export(terminal: Terminal, output: Path | None, after: str | None, until: str | None) -> None:
    """Write the journal as JSON lines that prove themselves elsewhere: cardd journal verify FILE."""
    stretch = auditing.Stretch(_limit(after), _limit(until))
    with terminal.connect() as client:
        lines = auditing.export_at(client, stretch)
        # what is refused is refused here, before there is a file
        lines = chain([next(lines)], lines)
        if output is None:
            _write(sys.stdout.buffer, lines)
            return
        # never over an earlier one: that is what it will be held against
        with output.open("xb") as out:
            _write(out, lines)


@journal.command()
@click.argument("token")
@click.option("--purpose", required=True, help="Why; goes on record.")
@click.option("--yes", is_flag=True, help="Do not ask whether it is meant.")
@command
def erase(terminal: Terminal, token: str, purpose: str, *, yes: bool) -> None:
    """Erase whatever is stored about the person with this TOKEN, for good. Needs the right personal besides.

    The chain still verifies afterwards; what remains is masked. Asks first on a terminal, elsewhere it needs --yes.
    """
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("this cannot be undone: say --yes")
        click.confirm("This cannot be undone. Go on? 此操作无法撤销，继续吗?", abort=True, err=True)
    terminal.ask(JOURNAL_ERASE, JournalEraseParams(token=token, purpose=purpose), _show_erased, wait_s=_LONG_S)


def _show_erased(result: JournalEraseResult) -> None:
    counts = f"{result.events} events, {result.activations} activations, {result.payments} payments"
    click.echo(f"{result.token}: erased from {counts}")


def _write(out: BinaryIO, lines: Iterator[bytes]) -> None:
    out.writelines(line + b"\n" for line in lines)


def _limit(text: str | None) -> Limit | None:
    if text is None:
        return None
    with _usage():
        return limits.parse(text)


@contextmanager
def _usage() -> Iterator[None]:
    """Turn what cannot be read among the options into a wrong use."""
    try:
        yield
    except CarddError as error:
        raise click.UsageError(error.detail) from None
