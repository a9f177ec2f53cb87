"""`cardctl`: the operator's client. This file starts quickly: a command's module is imported when it is called."""

import importlib
import os
import sys
from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

import click
from click.shell_completion import CompletionItem

from cardd import __version__
from cardd.ctl.exits import INTERRUPTED
from cardd.ctl.failures import report

_COMMANDS: Final = MappingProxyType(
    {
        "status": "show the daemon, its readers' service, keys, authority and journal",
        "readers": "list the readers and what is in them",
        "read": "read the card in a reader",
        "write": "write files of a card, once",
        "account": "look at, debit or load the medical account of a card",
        "block": "block an application or a whole card for good",
        "pin": "compare or change the password of a card",
        "watch": "print events as they happen",
        "activate": "enable the social function of a card",
        "activations": "list activations, or tell all about one",
        "incident": "print what went on in an activation, without a person: for cardsim run",
        "cancel": "cancel an activation",
        "lend": "give a reader to another program, then take it back",
        "clear": "let a station use its stopped keys and hung readers again",
        "answer": "answer a prompt for a password",
        "metrics": "print the daemon's counters and times",
        "discover": "print the socket's contract as an OpenRPC document",
        "bundle": "write an archive for whoever helps, without a secret or a person in it",
        "journal": "search, prove and export the journal; erase a person from it",
        "doctor": "look at everything that a counter needs, and name each remedy",
        "conformance": "put the card in a reader to the test of the rule",
    }
)


class Commands(click.Group):
    """A group whose commands are files: `cardd.ctl.NAME`, each with a click command of that name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        del ctx
        return list(_COMMANDS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that was typed; say which one comes closest to a word that is none."""
        name = args[0]
        if name in _COMMANDS or not name[:1].isalpha():
            return super().resolve_command(ctx, args)
        import difflib  # noqa: PLC0415 - for mistakes only

        close = difflib.get_close_matches(name, _COMMANDS, n=1)
        raise click.UsageError(f"No such command '{name}'.{f' Did you mean {close[0]}?' if close else ''}", ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command's module."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"cardd.ctl.{cmd_name}"), cmd_name)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a command's name without importing the commands."""
        if not incomplete or incomplete[0].isalpha():
            return [CompletionItem(name, help=said) for name, said in _COMMANDS.items() if name.startswith(incomplete)]
        return super().shell_complete(ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--socket", metavar="PATH", help="The daemon's socket; else CARDD_SOCKET, else /run/cardd/cardd.sock.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.version_option(__version__, prog_name="cardctl")
@click.pass_context
def cardctl(context: click.Context, socket: str | None, *, as_json: bool) -> None:
    """Talk to the card daemon of this machine."""
    context.obj = {"socket": socket, "as_json": as_json}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (sysexits)."""
    try:
        result = cardctl.main(args=arguments, prog_name="cardctl", standalone_mode=False)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.UsageError as error:
        error.show()
        return os.EX_USAGE
    except (KeyboardInterrupt, click.Abort):
        print(file=sys.stderr)  # noqa: T201 - leaves the ^C on a line of its own
        return INTERRUPTED
    except SystemExit:
        # how click leaves when whoever reads our output has seen enough
        return os.EX_OK
    except Exception as error:  # noqa: BLE001 - an operator is told in a sentence, not by a traceback
        return report(error, as_json="--json" in (sys.argv[1:] if arguments is None else arguments))
    return result if isinstance(result, int) else os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
