"""The daemon's commands: `cardd run`, `cardd check`, `cardd register show`, `cardd journal verify|export|find`.

argparse, because the daemon should not pay for the import of a command-line library that only clients need.
"""

import argparse
import gc
import itertools
import json
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import msgspec

from cardd import __version__
from cardd.base.document import DocumentError, load_document
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.client.errors import CallError, UnreachableError
from cardd.config import Config, load_config

if TYPE_CHECKING:
    from cardd.tracing.file import TraceFile

DEFAULT_CONFIG = "/etc/cardd/cardd.yaml"

_EXITS: Mapping[str, int] = {
    Reason.BUSY: os.EX_TEMPFAIL,
    Reason.INVALID: os.EX_CONFIG,
    Reason.FORBIDDEN: os.EX_NOPERM,
    Reason.CURSOR_GONE: os.EX_DATAERR,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (sysexits)."""
    options = parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except DocumentError as error:
        return _fail(str(error), os.EX_CONFIG)
    except CarddError as error:
        sentence = f"{error.detail or error.text['en']}"
        return _fail(sentence, _EXITS.get(error.reason, os.EX_UNAVAILABLE))
    except UnreachableError as error:
        return _fail(str(error), os.EX_UNAVAILABLE)
    except CallError as error:
        return _fail(error.detail or str(error), _EXITS.get(error.reason, os.EX_UNAVAILABLE))
    except KeyboardInterrupt:
        return 130


class _Parser(argparse.ArgumentParser):
    """argparse with the exit code of sysexits."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(os.EX_USAGE, f"{self.prog}: {message}\n")


def parser() -> "_Parser":
    """Return what the command line is read by."""
    top = _Parser(prog="cardd", description="Smart-card middleware for the social security card.")
    top.add_argument("--version", action="version", version=f"cardd {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    run = _command(commands, "run", _run, "run the daemon in the foreground")
    run.add_argument(
        "--trace", type=Path, metavar="FILE", help="write what is said to cards there, PINs and persons masked"
    )
    run.add_argument("--trace-secrets", action="store_true", help="mask nothing in the trace: for test cards only")
    _command(commands, "check", _check, "check the configuration; exit 78 with file:line:column if it is wrong")
    register = commands.add_parser("register", help="the local authority's register").add_subparsers(required=True)
    _command(register, "show", _register_show, "print what the local register holds, one JSON object a person")
    _journal_commands(commands.add_parser("journal", help="the journal as evidence").add_subparsers(required=True))
    return top


def _journal_commands(group: "argparse._SubParsersAction[_Parser]") -> None:
    verify = _command(group, "verify", _journal_verify, "tell whether an export, or the journal here, was altered")
    verify.add_argument("file", type=Path, nargs="?", metavar="FILE", help="an export; left out: the journal here")
    verify.add_argument("--head", action="append", default=[], metavar="HEAD", help="a head that was kept elsewhere")
    verify.add_argument(
        "--against", action="append", default=[], type=Path, metavar="FILE", help="an export that was made earlier"
    )
    verify.add_argument("--key", action="append", default=[], metavar="KEY", help="who may have signed: ALGORITHM:HEX")
    verify.add_argument("--json", action="store_true", help="one JSON object")
    export = _command(group, "export", _journal_export, "write the journal as JSON lines that verify elsewhere")
    export.add_argument("--output", type=Path, metavar="FILE", help="a new file; left out: standard output")
    for name, text in _EXPORTED.items():
        export.add_argument(f"--{name}", metavar="PLACE", help=f"{text}: a sequence, a cursor, or a time")
    find = _command(group, "find", _journal_find, "print the events of a person, a card, a time, one a line")
    for name, text in _FOUND_BY.items():
        find.add_argument(f"--{name}", help=text)
    names = ("--types", "--type")
    find.add_argument(*names, action="append", default=[], metavar="GLOB", help="card.*, activation.completed, …")


_EXPORTED = {"after": "only what follows this", "until": "only up to this"}

_FOUND_BY = {
    "token": "a person, by the token that card.read tells",
    "card": "a card, by its number or identification code",
    "activation": "an activation",
    "insertion": "one stay of a card",
    "since": "from this time on, as 2026-05-07T08:00:00+08:00",
    "until": "up to this time",
    "purpose": "tell whole personal data, for this purpose, which goes on record",
}


def _command(
    group: "argparse._SubParsersAction[_Parser]",
    name: str,
    command: Callable[[argparse.Namespace], int],
    text: str,
) -> _Parser:
    parser = group.add_parser(name, help=text, description=text)
    parser.add_argument(
        "--config",
        type=Path,
        default=Path(DEFAULT_CONFIG),
        metavar="FILE",
        help=f"the configuration, else {DEFAULT_CONFIG}",
    )
    parser.set_defaults(command=command)
    return parser


def _run(options: argparse.Namespace) -> int:
    # what starting makes stays: to look for garbage among it took a tenth of the start (`service.settle` ends this)
    gc.disable()
    if options.trace_secrets and options.trace is None:
        return _fail("--trace-secrets goes with --trace FILE", os.EX_USAGE)
    # imported late: `check` need not pay for the daemon
    from cardd.process import run  # noqa: PLC0415

    config = load_config(options.config)
    return run(config, partial(load_config, options.config), _trace(options))


def _trace(options: argparse.Namespace) -> "TraceFile | None":
    if options.trace is None:
        return None
    from cardd.base.clock import SystemClock  # noqa: PLC0415
    from cardd.tracing.file import TraceFile  # noqa: PLC0415

    return TraceFile(options.trace, clock=SystemClock(), secrets=options.trace_secrets)


def _check(options: argparse.Namespace) -> int:
    config = load_config(options.config)
    _check_register(config)
    print(f"{options.config}: in order")  # noqa: T201 - a command's answer
    return os.EX_OK


def _check_register(config: Config) -> None:
    if config.authority.register is not None:
        from cardd.register.document import RegisterDocument  # noqa: PLC0415

        load_document(Path(config.authority.register), RegisterDocument)


def _register_show(options: argparse.Namespace) -> int:
    from cardd.activation.register import people_in  # noqa: PLC0415
    from cardd.providers import register_file  # noqa: PLC0415

    for person in people_in(register_file(load_config(options.config))):
        print(json.dumps(person, ensure_ascii=False))  # noqa: T201 - a command's answer
    return os.EX_OK


def _journal_verify(options: argparse.Namespace) -> int:
    from cardd import auditing  # noqa: PLC0415

    brought = auditing.kept(options.head, options.against, options.key)
    if options.file is not None:
        report = auditing.verify_file(options.file, brought)
    else:
        report = auditing.verify_here(load_config(options.config), brought)
    text = msgspec.json.encode(report).decode() if options.json else auditing.sentence(report)
    print(text)  # noqa: T201 - a command's answer
    return os.EX_OK if report.whole else os.EX_DATAERR


def _journal_export(options: argparse.Namespace) -> int:
    from cardd import auditing  # noqa: PLC0415
    from cardd.journal import limits  # noqa: PLC0415

    after, until = (None if text is None else limits.parse(text) for text in (options.after, options.until))
    stretch = auditing.Stretch(after, until)
    lines = auditing.export_here(load_config(options.config), f"/cardd/{socket.gethostname()}", stretch)
    # what is refused is refused here, before there is a file
    first = next(lines)
    lines = itertools.chain([first], lines)
    if options.output is None:
        for line in lines:
            sys.stdout.buffer.write(line + b"\n")
        return os.EX_OK
    try:
        # never over an earlier one: that is what it will be held against
        with options.output.open("xb") as out:
            out.writelines(line + b"\n" for line in lines)
    except OSError as error:
        raise CarddError(Reason.INVALID, f"{options.output} cannot be written: {error.strerror}") from None
    return os.EX_OK


def _journal_find(options: argparse.Namespace) -> int:
    from cardd import auditing  # noqa: PLC0415
    from cardd.wire.journal import JournalFindParams  # noqa: PLC0415

    asked = {name: getattr(options, name) for name in _FOUND_BY if getattr(options, name) is not None}
    try:
        params = msgspec.convert({**asked, "types": options.types}, JournalFindParams)
    except msgspec.ValidationError:
        raise CarddError(Reason.INVALID, "write times as 2026-05-07T08:00:00+08:00") from None
    for event in auditing.find_here(load_config(options.config), params):
        sys.stdout.buffer.write(event + b"\n")
    return os.EX_OK


def _fail(sentence: str, code: int) -> int:
    print(f"cardd: {sentence}", file=sys.stderr)  # noqa: T201 - a command's answer
    return code
