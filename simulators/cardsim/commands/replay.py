"""`cardsim replay`: a recorded card in a reader."""

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Final

import click
import msgspec

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardsim.control import order
from cardsim.replay import Progress
from cardsim.trace import load_trace

_LOOK_EVERY_S: Final = 0.05


@click.command(name="replay", short_help="put a recorded card into a reader")
@click.argument("trace", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("reader")
@click.option("--insertion", default="", metavar="ID", help="Which stay, of a trace of several, as a daemon writes.")
@click.option(
    "--quiet",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0.1),
    help="How many seconds nothing more must come before the card is taken out.",
)
@click.option(
    "--dir",
    "directory",
    required=True,
    envvar="CARDSIM_DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="The laboratory's directory. Default: CARDSIM_DIR.",
)
def command(trace: Path, reader: str, insertion: str, quiet: float, directory: Path) -> int:
    """Put a card into READER that answers what was recorded in TRACE, in that order.

    Prints the reader's name when pcscd has seen the card. A command that is not the next one of the record gets 6F00.
    It ends, and takes the card out, when the record has been played to its end or something else was asked, and then
    nothing comes any more; or when the card is removed; or at Ctrl-C or SIGTERM. It then tells on standard error what
    was replayed and which unexpected commands came. Exit code 0 if all was as recorded, else 65.

    Where the trace is masked, the card answers 00, and takes any bytes of the same number.
    """
    lost = load_trace(trace, insertion).lost
    if lost:
        print(f"cardsim: {lost} exchanges of this trace were lost when it was written", file=sys.stderr)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.set())
    print(order(directory, "replay", trace=str(trace.absolute()), reader=reader, insertion=insertion), flush=True)
    progress = _watched(directory, reader, quiet, ended)
    print(f"cardsim: {progress}", file=sys.stderr)
    return os.EX_OK if progress.faithful else os.EX_DATAERR


def _watched(directory: Path, reader: str, quiet: float, ended: threading.Event) -> Progress:
    """Wait for the end, take the card out if it is still there, and return what came."""
    progress, changed = _look(directory, reader), time.monotonic()
    while progress.inserted:
        if ended.wait(_LOOK_EVERY_S) or (progress.decided and time.monotonic() - changed > quiet):
            return _taken_out(directory, reader)
        before, progress = progress, _look(directory, reader)
        if progress != before:
            changed = time.monotonic()
    return progress


def _taken_out(directory: Path, reader: str) -> Progress:
    if _look(directory, reader).inserted:
        try:
            order(directory, "remove", reader=reader)
        except CarddError as error:
            # somebody was faster
            if error.reason is not Reason.NOT_FOUND:
                raise
    return _look(directory, reader)


def _look(directory: Path, reader: str) -> Progress:
    return msgspec.json.decode(order(directory, "replayed", reader=reader), type=Progress)
