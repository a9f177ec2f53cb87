"""`cardsim sandbox`: a counter that stays up, to connect a till to or to play with."""

import os
import shlex
import signal
import sys
import tempfile
import threading
from pathlib import Path

import click

from cardsim.rig import Rig, program


@click.command(name="sandbox")
@click.option("--stations", default=1, show_default=True, type=click.IntRange(1, 8), help="How many counters.")
def command(stations: int) -> int:
    """Keep a pharmacy counter up until Ctrl-C: a private pcscd, a PSAM, the daemon; then nothing of it is left."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.set())
    with (
        tempfile.TemporaryDirectory(prefix="cardd-sandbox-") as directory,
        Rig.start(Path(directory), stations=stations) as rig,
    ):
        print(_lines_to_type(rig), flush=True)
        while not ended.wait(0.5):
            if rig.daemon is None or rig.daemon.poll() is not None:
                print(f"The daemon has ended; its log was {rig.log}.", file=sys.stderr)
                return os.EX_SOFTWARE
    return os.EX_OK


def _lines_to_type(rig: Rig) -> str:
    exports = "\n".join(
        f"  export {name}={shlex.quote(rig.environment[name])}"
        for name in ("CARDD_SOCKET", "CARDSIM_DIR", "PCSCLITE_CSOCK_NAME")
    )
    ctl, sim = program("cardctl"), program("cardsim")
    return f"""\
The counter is up; Ctrl-C ends it. In other terminals, first:

{exports}

then watch, and be the clerk:

  {ctl} watch
  {sim} insert old-jia 0             # 请插入原医保卡: the old card; the handoff begins by itself
  {sim} remove 0
  {sim} insert social-jia-3.0 0      # 插入社会保障卡: activated
  {ctl} read --wait 10
  {sim} remove 0

  {sim} personas                     # all cards there are; old-bing asks for a password: 123456
  {ctl} answer PROMPT                # the prompt's id is in the event prompt.opened

A till in one line of shell (socat, from Debian):

  (echo '{{"jsonrpc": "2.0", "id": 1, "method": "events.subscribe", "params": {{}}}}'; cat) | socat - UNIX:$CARDD_SOCKET

The daemon's log: {rig.log}"""
