"""The daemon as a process: its signals, its signs of life, its end."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from typing import Final

import structlog

from cardd.base.document import DocumentError
from cardd.base.errors import CarddError
from cardd.config import Config
from cardd.daemon import Daemon
from cardd.logs import Logs, configure
from cardd.logs.faults import loop_failed, take_over
from cardd.service import Standing, forbid_core_dumps, has_terminal, notify, prove_life, reloading, settle
from cardd.tracing.file import TraceFile

log = structlog.get_logger()

STOP_S: Final = 1.8
"""How long an orderly end may take, whatever hangs; systemd and people wait for it."""

SWITCH_S: Final = 0.0001
"""How long a thread that computes may keep others from the interpreter: with Python's own 5 ms each command to a card
waited that long beside one (`bench.socket`).
"""

_HELD_BACK_S: Final = 60.0
"""How often it is told how many lines were held back, where no other line tells it earlier."""

Read = Callable[[], Config]


def run(config: Config, read: Read, trace: TraceFile | None = None) -> int:
    """Run until SIGTERM or SIGINT, or until the terminal hangs up; `read` reads the configuration again, for SIGHUP.

    `trace` is where exchanges with cards are written down: opened anew at SIGHUP, closed at the end.
    Does not return normally: the process leaves once the journal is closed. Raises CarddError or DocumentError for what
    keeps the daemon from starting.
    """
    logs = configure(config.logs.level, config.logs.format, config.logs.same_a_minute)
    take_over()
    forbid_core_dumps()
    sys.setswitchinterval(SWITCH_S)
    if trace is not None and trace.holds_secrets:
        log.warning("the trace is written with PINs and persons in it: for test cards only")
    asyncio.run(_serve(config, read, logs, trace))
    if trace is not None:
        trace.close()
    logs.close()
    sys.stderr.flush()
    # a call into PC/SC may block for ever, and its thread must not hold up the process
    os._exit(os.EX_OK)


async def _serve(config: Config, read: Read, logs: Logs, trace: TraceFile | None) -> None:
    stop, again = asyncio.Event(), asyncio.Event()
    _heed_signals(stop, again)
    asyncio.get_running_loop().set_exception_handler(loop_failed)
    standing = Standing()
    daemon = await Daemon.start(config, logs, standing, tap=trace)
    settle()
    notify("READY=1")
    beside = [
        # whatever is done here goes over this loop and into the journal: a sign of life has gone that way itself
        asyncio.create_task(prove_life(daemon.reach_journal)),
        asyncio.create_task(_tell_held_back(logs)),
        asyncio.create_task(_reload_when(again, daemon, read, standing, trace)),
    ]
    await stop.wait()
    for task in beside:
        task.cancel()
    notify("STOPPING=1")
    try:
        async with asyncio.timeout(STOP_S):
            await daemon.stop()
    except TimeoutError:
        log.warning("an orderly end took too long", seconds=STOP_S)


def _heed_signals(stop: asyncio.Event, again: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    watched = has_terminal()

    def hung_up() -> None:
        """Tell the end of the terminal that this was started in from an operator's wish."""
        (stop if watched and not has_terminal() else again).set()

    loop.add_signal_handler(signal.SIGHUP, hung_up)


async def _tell_held_back(logs: Logs) -> None:
    while True:
        await asyncio.sleep(_HELD_BACK_S)
        logs.tell_held_back()


async def _reload_when(
    again: asyncio.Event, daemon: Daemon, read: Read, standing: Standing, trace: TraceFile | None
) -> None:
    while True:
        await again.wait()
        again.clear()
        if trace is not None:
            trace.reopen()
        with reloading():
            standing.say("configuration", await _reload(daemon, read))


async def _reload(daemon: Daemon, read: Read) -> str:
    """Have the daemon take up what is in the file by now; return what an operator has still to do, in a sentence."""
    try:
        # beside the loop: names of users are looked up, and a directory service may be slow
        taken = daemon.reload(await asyncio.to_thread(read))
    except (CarddError, DocumentError, OSError) as error:
        log.error("the configuration was not taken up: all goes on as before", problem=str(error))  # noqa: TRY400
        return f"configuration not taken up: {error}"
    log.info("the configuration was read again", taken_up=", ".join(taken.taken) or "nothing")
    if taken.remedy:
        log.warning(taken.remedy)
    return taken.remedy
