"""`cardsim sandbox`: a counter that stays up, to connect a till to or to play with."""

import contextlib
import os
import shlex
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import click

from cardd.base.errors import CarddError
from cardsim.centre.desk import Desk
from cardsim.centre.server import FAULTS, PEOPLE, CentreServer
from cardsim.rig import REGISTER, Rig, program

_AGAIN_S: Final = 2.0
"""After so long a daemon that does not come up is tried again: somebody may be mending its configuration."""


@click.command(name="sandbox", short_help="keep a counter up to connect a till to")
@click.option("--stations", default=1, show_default=True, type=click.IntRange(1, 8), help="How many counters.")
@click.option(
    "--authority",
    type=click.Choice(["centre", "register"]),
    default="centre",
    show_default=True,
    help="Who decides on cards: a centre on the network (needs cardd[http]), or the daemon's own register.",
)
def command(stations: int, authority: str) -> int:
    """Keep a pharmacy counter up until Ctrl-C: a private pcscd, a PSAM, a centre, the daemon; then nothing is left."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.set())
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cardd-sandbox-")))
        settings, lines = _AUTHORITIES[authority](directory, stack)
        rig = stack.enter_context(Rig.start(directory, stations=stations, settings=settings))
        _tell_pid(rig)
        print(_lines_to_type(rig, lines), flush=True)
        while not ended.wait(0.5):
            if rig.daemon is None or rig.daemon.poll() is not None:
                _tell("The daemon has ended; it is started again, as systemd would.")
                try:
                    rig.start_daemon()
                except CarddError:
                    _tell(f"It does not come up, and is tried again: {_last_line(rig.log)}")
                    ended.wait(_AGAIN_S)
                _tell_pid(rig)
    return os.EX_OK


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _last_line(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace").rstrip().rpartition("\n")[2]


def _tell_pid(rig: Rig) -> None:
    if rig.daemon is not None:
        _pid_file(rig).write_text(f"{rig.daemon.pid}\n", encoding="ascii")


def _pid_file(rig: Rig) -> Path:
    return rig.config.with_name("cardd.pid")


_Authority = tuple[Mapping[str, object], str]
"""What the daemon is told of it, and the lines to type that show what it holds."""


def _centre(directory: Path, stack: contextlib.ExitStack) -> _Authority:
    desk = Desk.open(directory / "centre.sqlite", REGISTER)
    stack.callback(desk.close)
    centre = stack.enter_context(CentreServer(desk))
    lines = f"""\
What the centre holds, one object a person; and a centre that falls silent after its next commit:

  curl -s {centre.url}{PEOPLE}
  curl -s -X PUT -d '["silent_after@activate:3"]' {centre.url}{FAULTS}"""
    return {"authority": {"provider": "http", "url": centre.url}}, lines


def _register(directory: Path, _: contextlib.ExitStack) -> _Authority:
    show = f"{program('cardd')} register show --config {shlex.quote(str(directory / 'cardd.yaml'))}"
    return {}, f"What the register holds, one object a person:\n\n  {show}"


_AUTHORITIES: Final[Mapping[str, Callable[[Path, contextlib.ExitStack], _Authority]]] = MappingProxyType(
    {"centre": _centre, "register": _register}
)


def _lines_to_type(rig: Rig, authority: str) -> str:
    commands = Path(program("cardctl")).parent
    exports = "\n".join(
        [f"  export PATH={shlex.quote(str(commands))}:$PATH"] * commands.is_absolute()
        + [
            f"  export {name}={shlex.quote(rig.environment[name])}"
            for name in ("CARDD_SOCKET", "CARDSIM_DIR", "PCSCLITE_CSOCK_NAME")
        ]
    )
    pid, config = (shlex.quote(str(path)) for path in (_pid_file(rig), rig.config))
    return f"""\
The counter is up; Ctrl-C ends it. In other terminals, first:

{exports}

then watch, and be the clerk:

  cardctl watch
  cardsim insert old-jia 0             # 请插入原医保卡: the old card; the handoff begins by itself
  cardsim remove 0
  cardsim insert social-jia-3.0 0      # 插入社会保障卡: activated
  cardctl read --wait 10
  cardsim remove 0

  cardsim personas                     # all cards there are; old-bing asks for a password: 123456
  cardctl answer PROMPT                # the prompt's id is in the event prompt.opened
  cardctl activations --open           # what holds the counter, if it is BUSY; cardctl cancel ID ends it
  cardctl doctor --config {config}
  kill $(cat {pid})    # the daemon is started again, and whoever watches goes on

A till in one line of shell (socat, from Debian):

  (echo '{{"jsonrpc": "2.0", "id": 1, "method": "events.subscribe", "params": {{}}}}'; cat) | socat - UNIX:$CARDD_SOCKET

{authority}

The daemon's log: {rig.log}"""
