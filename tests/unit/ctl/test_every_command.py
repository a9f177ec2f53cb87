"""What holds of every command of `cardctl`."""

from collections.abc import Iterator

import click
import pytest

from cardd.ctl.main import _COMMANDS, cardctl


def leaves(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command with the words that name it."""
    if not isinstance(command, click.Group):
        yield words, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        yield from leaves(inner, (*words, name))


COMMANDS = {" ".join(words): command for words, command in leaves(cardctl)}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_takes_the_socket_and_json_and_says_what_it_does(name: str) -> None:
    command = COMMANDS[name]
    options = {option for parameter in command.params for option in parameter.opts}
    assert {"--socket", "--json"} <= options
    assert (command.help or "").split("\n\n")[0].endswith(".")
    assert command.name == name.rsplit(maxsplit=1)[-1]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_says_what_it_is_for(name: str) -> None:
    silent = [one.name for one in COMMANDS[name].params if isinstance(one, click.Option) and not one.help]
    assert silent == []


def test_every_module_of_commands_is_in_the_table_and_loads() -> None:
    context = click.Context(cardctl)
    for name in _COMMANDS:
        assert cardctl.get_command(context, name) is not None, name
    assert cardctl.get_command(context, "fly") is None
