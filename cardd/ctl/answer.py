"""`cardctl answer`."""

import click

from cardd.ctl.common import Terminal, command
from cardd.ctl.pins import read_pin
from cardd.wire.activation import PromptAnswerParams, PromptAnswerResult
from cardd.wire.methods import PROMPT_ANSWER


@click.command()
@click.argument("prompt")
@click.option("--cancel", is_flag=True, help="Say that no password will come.")
@click.option("--new", is_flag=True, help="The prompt is for a new password: have it typed twice.")
@command
def answer(terminal: Terminal, prompt: str, *, cancel: bool, new: bool) -> None:
    """Answer PROMPT with a password, read without echo from the terminal or as one line from standard input."""
    if cancel:
        params = PromptAnswerParams(prompt=prompt, cancel=True)
    else:
        params = PromptAnswerParams(prompt=prompt, pin=read_pin("new_pin" if new else None))
    terminal.ask(PROMPT_ANSWER, params, _show)


def _show(result: PromptAnswerResult) -> None:
    click.echo(f"{result.prompt}: answered")
