"""`cardctl lend`."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any, Final, Self

import click

from cardd.client.blocking import Client
from cardd.client.errors import CallError, UnreachableError
from cardd.ctl.common import Terminal, command
from cardd.ctl.completing import readers
from cardd.ctl.failures import sentence
from cardd.wire.methods import READER_LEND, READER_TAKE_BACK
from cardd.wire.stations import ReaderLendParams

CANNOT_RUN: Final = 126
NOT_FOUND: Final = 127
_KILLED: Final = 128
"""As a shell says it of a command: it is there and cannot be run, it is not there, a signal (added) ended it."""

_PASSED_ON: Final = (signal.SIGTERM, signal.SIGHUP)
_PR_SET_PDEATHSIG: Final = 1

_Handler = Callable[[int, FrameType | None], Any] | int | signal.Handlers | None
"""What `signal.signal` gives back."""


@click.command()
@click.argument("reader", shell_complete=readers)
@click.argument("words", nargs=-1, required=True, metavar="-- COMMAND...", type=click.UNPROCESSED)
@command
def lend(terminal: Terminal, reader: str, words: tuple[str, ...]) -> int:
    """Give READER to another program while it runs, then take it back. Exits as COMMAND does.

    The daemon lets go of the reader and does not look at the cards in it meanwhile; a card that is inside afterwards
    is a new one to it. COMMAND finds the reader's PC/SC name in CARDD_PCSC_READER. SIGTERM and SIGHUP are passed on to
    it, and it may take its time; if cardctl itself is killed, COMMAND is killed with it, programs that it started not.
    """
    with terminal.connect() as client:
        lent = client.call(READER_LEND, ReaderLendParams(reader=reader))
        try:
            return _run(words, {**os.environ, "CARDD_PCSC_READER": lent.pcsc_name})
        finally:
            _take_back(client, lent.reader)


def _run(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command to its end and return its exit code, as a shell does."""
    # loaded before the fork: what runs between it and the command may load nothing
    libc = ctypes.CDLL(None)
    with _Signals() as signals:
        try:
            # A reader whose borrower outlived us would be taken back with a foreign program still on it. To be asked
            # to end it has its chance before: that we outlive.
            process = subprocess.Popen(  # noqa: S603 - the operator's own command
                words,
                env=environment,
                preexec_fn=lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),  # noqa: PLW1509 - one thread
            )
        except OSError as error:
            click.echo(f"cardctl: {words[0]}: {error.strerror}. Name a program that can be run.", err=True)
            return NOT_FOUND if isinstance(error, FileNotFoundError) else CANNOT_RUN
        signals.go_to(process)
        code = process.wait()
    return _KILLED - code if code < 0 else code


class _Signals:
    """Outlives the signals that are meant for the command: passes on those that only we get, not the keyboard's.

    What is ignored stays so, for the command too; the others it begins with as usual.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []
        self._before: dict[signal.Signals, _Handler] = {}

    def __enter__(self) -> Self:
        for number in (*_PASSED_ON, signal.SIGINT):
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def go_to(self, process: "subprocess.Popen[bytes]") -> None:
        """Pass on to this process from now on, what came before too."""
        self._process = process
        for number in self._early:
            process.send_signal(number)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            # the terminal has told the command too
            return
        if self._process is None:
            self._early.append(number)
        else:
            self._process.send_signal(number)


def _take_back(client: Client, reader: str) -> None:
    """Take the reader back; the command's exit code is the answer, whatever the daemon says to this."""
    try:
        client.call(READER_TAKE_BACK, ReaderLendParams(reader=reader))
    except CallError as error:
        click.echo(f"cardctl: {sentence(error)}", err=True)
    except UnreachableError:
        click.echo("cardctl: the daemon has gone meanwhile; it looks at the reader anew when it starts.", err=True)
