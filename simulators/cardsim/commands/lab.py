"""`cardsim lab`: a private pcscd with virtual readers."""

import json
import os
import signal
import threading
from pathlib import Path

import click

from cardsim.lab import Lab
from cardsim.pcscd import MOST_READERS


@click.command(name="lab", short_help="run a private pcscd with virtual readers")
@click.option(
    "--dir",
    "directory",
    required=True,
    envvar="CARDSIM_DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where its sockets are; made if it is not there. Default: CARDSIM_DIR.",
)
@click.option("--readers", default=2, show_default=True, type=click.IntRange(1, MOST_READERS), help="How many readers.")
def command(directory: Path, readers: int) -> int:
    """Run a private pcscd with virtual readers until Ctrl-C or SIGTERM; then nothing of it is left.

    When it is ready it prints one JSON line: `pcscd_socket` (for PCSCLITE_CSOCK_NAME), `control_socket` and `readers`,
    named as pcscd shows them. Put cards in with `cardsim insert`. A pcscd that dies is started again, and the cards go
    in again by themselves.

    vpcd, which makes the readers, listens on EVERY address of this machine: whoever reaches its ports can put cards
    in. Run it on a machine for tests, never on a counter (or inside `unshare -rn`). Readers come in pairs, so that an
    odd number leaves one more in pcscd, always empty.
    """
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.set())
    with Lab.start(directory.absolute(), readers) as lab:
        ready = {
            "pcscd_socket": str(lab.pcscd_socket),
            "control_socket": str(lab.control_socket),
            "readers": list(lab.readers),
        }
        print(json.dumps(ready), flush=True)
        ended.wait()
    return os.EX_OK
