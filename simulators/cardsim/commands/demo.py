"""`cardsim demo`: four handoffs at a pharmacy counter that exists for half a minute."""

import os
import tempfile
import time
from pathlib import Path

import click

from cardsim import demo
from cardsim.rig import Rig

_FAILED = 1


@click.command(name="demo", short_help="show a pharmacy counter at work")
def command() -> int:
    """Show a pharmacy counter at work: a private pcscd, a PSAM, the daemon, a client, and four handoffs.

    Needs no input, leaves no process and no file. Exit code 0 if every handoff came out as it had to.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cardd-demo-") as directory:
        _say("A pharmacy counter: a private pcscd with two virtual readers, a PSAM in one of them, and cardd.")
        with Rig.start(Path(directory), settings={"logs": {"level": "info", "format": "json"}}) as rig:
            _say(f"Up after {time.monotonic() - began:.1f} s. A client watches {rig.socket}; the clerk's hands begin.")
            rows = demo.run(rig, _say)
    _say(f"\n{demo.summary(rows)}\n\n{time.monotonic() - began:.1f} s in all; every process and file is gone again.")
    return os.EX_OK if all(row.right for row in rows) else _FAILED


def _say(line: str) -> None:
    # a reader at the other end of a pipe sees things when they happen
    print(line, flush=True)
