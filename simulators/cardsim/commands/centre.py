"""`cardsim centre`: a card centre on this computer."""

import contextlib
import json
import os
import signal
import sqlite3
import tempfile
import threading
from pathlib import Path

import click

from cardsim.centre.certificates import Certificates
from cardsim.centre.desk import Desk
from cardsim.centre.faults import KINDS
from cardsim.centre.openapi import openapi
from cardsim.centre.server import CALLS, FAULTS, OPENAPI, PEOPLE, CentreServer, Tls
from cardsim.rig import REGISTER

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_WIDTH = max(map(len, KINDS))


def _kinds() -> str:
    return "\n".join(f"{name:<{_WIDTH}}  {conduct.text}" for name, conduct in KINDS.items())


_HELP = f"""Run a card centre on this computer until Ctrl-C or SIGTERM: the register of invented people, over HTTP.

When it is ready it prints one JSON line: `url`, for `authority: {{provider: http, url: ...}}`; `people`, where it tells
what it holds, one JSON object a person; `openapi`, what it understands; `faults`, where a PUT of a JSON list of
KIND@METHOD[:n] orders others; `calls`, which questions arrived.

KIND@METHOD[:n]: the fault happens to the next n questions of that name (without n: to all), METHOD as in the OpenAPI
document or `*`. Kinds:

\b
{_kinds()}
"""


@click.command(name="centre", short_help="run a card centre on this computer", help=_HELP)
@click.option("--register", "people", default=REGISTER, type=_FILE, help="Its people, YAML. Default: those shipped.")
@click.option(
    "--database",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where it keeps what was done. Default: nowhere, the next start begins afresh.",
)
@click.option("--port", default=0, show_default="any that is free", type=click.IntRange(0, 65535), help="Where.")
@click.option("--fault", "faults", multiple=True, metavar="KIND@METHOD[:n]", help="What goes wrong; may be repeated.")
@click.option("--slow-s", default=2.0, show_default=True, type=click.FloatRange(0), help="How slow `slow` is.")
@click.option("--tls-certificate", type=_FILE, help="Serve https with this certificate (PEM).")
@click.option("--tls-key", type=_FILE, help="The certificate's key (PEM).")
@click.option("--client-ca", type=_FILE, help="Take only clients that this issuer (PEM) vouches for.")
@click.option(
    "--tls-invent",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Make invented certificates in DIR and use them: ca.pem, counter.pem and counter-key.pem are for the daemon.",
)
@click.option("--print-openapi", is_flag=True, help="Print the OpenAPI document and do nothing else.")
def command(
    people: Path,
    database: Path | None,
    port: int,
    faults: tuple[str, ...],
    slow_s: float,
    tls_certificate: Path | None,
    tls_key: Path | None,
    client_ca: Path | None,
    tls_invent: Path | None,
    print_openapi: bool,  # noqa: FBT001 # click's way
) -> int:
    """Run the centre; its help is above."""
    if print_openapi:
        print(openapi(), end="")
        return os.EX_OK
    tls = _invented(tls_invent) if tls_invent is not None else _named(tls_certificate, tls_key, client_ca)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.set())
    with contextlib.ExitStack() as stack:
        if database is None:
            database = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="centre-"))) / "register.sqlite"
        try:
            desk = Desk.open(database, people)
            stack.callback(desk.close)
            centre = stack.enter_context(CentreServer(desk, port=port, tls=tls, faults=faults, slow_s=slow_s))
        except (ValueError, sqlite3.Error) as error:
            raise click.UsageError(str(error)) from None
        print(json.dumps(addresses(centre)), flush=True)
        ended.wait()
    return os.EX_OK


def addresses(centre: CentreServer) -> dict[str, str]:
    """Return what the ready line tells."""
    places = {"people": PEOPLE, "openapi": OPENAPI, "faults": FAULTS, "calls": CALLS}
    return {"url": centre.url, **{name: centre.url + path for name, path in places.items()}}


def _invented(directory: Path) -> Tls:
    made = Certificates.make(directory)
    return Tls(made.centre, made.centre_key, made.ca)


def _named(certificate: Path | None, key: Path | None, client_ca: Path | None) -> Tls | None:
    if certificate is None or key is None:
        if certificate or key or client_ca:
            raise click.UsageError("TLS needs both --tls-certificate and --tls-key")
        return None
    return Tls(certificate, key, client_ca)
