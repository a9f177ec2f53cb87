"""`cardctl activate`."""

import os

import click

from cardd.client.messages import typed
from cardd.ctl.common import Seconds, Terminal, both, command
from cardd.ctl.exits import ENDS, exit_code
from cardd.ctl.following import follow
from cardd.wire.activation import (
    ActivationResult,
    ActivationStartParams,
    IdentityDocument,
    OldCard,
    Route,
    Visit,
)
from cardd.wire.methods import ACTIVATION_START


@click.command()
@click.argument("route", type=click.Choice([str(route) for route in Route]))
@click.option("--station", help="Which counter; may be left out where there is one.")
@click.option("--reader", help="Which reader of it.")
@click.option("--operator", help="Who serves the customer; goes to the card centre.")
@click.option("--wait", "wait_s", type=Seconds(0, 3600), metavar="SECONDS", help="Go with it to its end.")
@click.option("--old-card", metavar="NUMBER", help="The number of an old card without a chip.")
@click.option("--visit-kind", type=click.Choice(["outpatient", "inpatient"]), help="Hospital: what is registered.")
@click.option("--visit-number", help="Hospital: the visit's number.")
@click.option("--document-type", help="Bank: the identity document's type.")
@click.option("--document-number", help="Bank: its number.")
@click.option("--document-name", help="Bank: the name in it.")
@click.option("--request", help="An id of your own: the same id is the same activation.")
@click.option("--purpose", help="What whole personal data are needed for; goes on record. Without it they are masked.")
@command
def activate(
    terminal: Terminal,
    route: str,
    station: str | None,
    reader: str | None,
    operator: str | None,
    wait_s: float | None,
    old_card: str | None,
    visit_kind: str | None,
    visit_number: str | None,
    document_type: str | None,
    document_number: str | None,
    document_name: str | None,
    request: str | None,
    purpose: str | None,
) -> int:
    """Activate a social security card by ROUTE.

    With --wait, passwords are asked for on this terminal, and a restart of the daemon is outlived. The exit code is
    that of the activation's end.
    """
    params = ActivationStartParams(
        route=Route(route),
        station=station,
        reader=reader,
        operator=operator,
        old_card=None if old_card is None else OldCard(number=old_card),
        visit=_visit(visit_kind, visit_number),
        identity_document=_document(document_type, document_number, document_name),
        request=request,
        purpose=purpose,
    )
    if wait_s is None:
        terminal.ask(ACTIVATION_START, params, _show)
        return os.EX_OK
    raw = follow(terminal, params, wait_s)
    terminal.print(raw, ACTIVATION_START, _show)
    return _code(typed(raw, ActivationResult))


def _visit(kind: str | None, number: str | None) -> Visit | None:
    if kind is None and number is None:
        return None
    if kind is None or number is None:
        raise click.UsageError("give both --visit-kind and --visit-number")
    return Visit(kind=kind, number=number)


def _document(kind: str | None, number: str | None, name: str | None) -> IdentityDocument | None:
    if kind is None and number is None and name is None:
        return None
    if kind is None or number is None or name is None:
        raise click.UsageError("give --document-type, --document-number and --document-name")
    return IdentityDocument(type=kind, number=number, name=name)


def _show(result: ActivationResult) -> None:
    told = both(result.text or (result.prompt.text if result.prompt is not None else None))
    outcome = result.outcome or result.reason
    click.echo("  ".join(filter(None, [f"{result.activation}: {result.state}", outcome, told])))


def _code(result: ActivationResult) -> int:
    if result.reason is not None:
        return exit_code(result.reason, "never")
    return ENDS.get(result.state, os.EX_TEMPFAIL)
