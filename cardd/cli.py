"""The daemon's commands: `cardd run`, `cardd check`, `cardd register show`.

argparse, because the daemon should not pay for the import of a command-line library that only clients need.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from cardd import __version__
from cardd.base.document import DocumentError, load_document
from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.config import Config, load_config

DEFAULT_CONFIG = "/etc/cardd/cardd.yaml"

_EXITS = {Reason.BUSY: os.EX_TEMPFAIL, Reason.INVALID: os.EX_CONFIG, Reason.FORBIDDEN: os.EX_NOPERM}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (sysexits)."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except DocumentError as error:
        return _fail(str(error), os.EX_CONFIG)
    except CarddError as error:
        sentence = f"{error.detail or error.text['en']}"
        return _fail(sentence, _EXITS.get(error.reason, os.EX_UNAVAILABLE))
    except KeyboardInterrupt:
        return 130


class _Parser(argparse.ArgumentParser):
    """argparse with the exit code of sysexits."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(os.EX_USAGE, f"{self.prog}: {message}\n")


def _parser() -> _Parser:
    parser = _Parser(prog="cardd", description="Smart-card middleware for the social security card.")
    parser.add_argument("--version", action="version", version=f"cardd {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _command(commands, "run", _run, "run the daemon in the foreground")
    _command(commands, "check", _check, "check the configuration; exit 78 with file:line:column if it is wrong")
    register = commands.add_parser("register", help="the local authority's register").add_subparsers(required=True)
    _command(register, "show", _register_show, "print what the local register holds, one JSON object a person")
    return parser


def _command(
    group: "argparse._SubParsersAction[_Parser]",
    name: str,
    command: Callable[[argparse.Namespace], int],
    text: str,
) -> None:
    parser = group.add_parser(name, help=text, description=text)
    parser.add_argument("--config", type=Path, default=Path(DEFAULT_CONFIG), metavar="FILE", help=DEFAULT_CONFIG)
    parser.set_defaults(command=command)


def _run(options: argparse.Namespace) -> int:
    # imported late: `check` need not pay for the daemon
    from cardd.daemon import run  # noqa: PLC0415

    return run(load_config(options.config))


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
    from cardd.daemon import open_register  # noqa: PLC0415

    for person in open_register(load_config(options.config)).show():
        print(json.dumps(person, ensure_ascii=False))  # noqa: T201 - a command's answer
    return os.EX_OK


def _fail(sentence: str, code: int) -> int:
    print(f"cardd: {sentence}", file=sys.stderr)  # noqa: T201 - a command's answer
    return code
