"""The command `cardsim`: a group that finds its commands in `cardsim.commands`, one file each."""

import importlib
import os
import pkgutil
import sys

import click

from cardd.base.document import DocumentError
from cardd.base.errors import CarddError
from cardsim import commands

_INTERRUPTED = 130


class Commands(click.Group):
    """Every module of `cardsim.commands` is a command of its own name; the module says what it does in `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        del ctx
        return sorted(module.name for module in pkgutil.iter_modules(commands.__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command, and only that one."""
        if cmd_name not in self.list_commands(ctx):
            return None
        found = importlib.import_module(f"{commands.__name__}.{cmd_name}").command
        return found if isinstance(found, click.Command) else None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Virtual cards, readers and people to test card software with."""


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code.

    Sysexits: 64 for a wrong call, 65 for wrong data, 69 for a service that is away, 74 for files; 130 when interrupted.
    """
    try:
        result = cli.main(arguments, prog_name="cardsim", standalone_mode=False)
    except BrokenPipeError:
        # whoever read our output has gone; nothing is left to be told
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return os.EX_OK
    except (KeyboardInterrupt, click.Abort):
        return _INTERRUPTED
    except (click.ClickException, DocumentError, CarddError, OSError) as error:
        text, code = _failure(error)
        print(text, file=sys.stderr)
        return code
    return result if isinstance(result, int) else os.EX_OK


def _failure(error: Exception) -> tuple[str, int]:
    """Return what to tell and the exit code."""
    if isinstance(error, click.ClickException):
        wrong_call = isinstance(error, click.UsageError)
        return f"cardsim: {error.format_message()}{_instead(error)}", os.EX_USAGE if wrong_call else error.exit_code
    if isinstance(error, CarddError):
        return f"cardsim: {error.text['en']} ({error})", os.EX_UNAVAILABLE
    if isinstance(error, OSError):
        return f"cardsim: {error.filename or 'input or output'}: {error.strerror}", os.EX_IOERR
    return str(error), os.EX_DATAERR


def _instead(error: click.ClickException) -> str:
    """Say what would do in the place of an option that is missing."""
    missing = error.param if isinstance(error, click.MissingParameter) else None
    variable = missing.envvar if isinstance(missing, click.Option) else None
    return f" Or set {variable}; `cardsim sandbox` prints the line." if variable else ""
