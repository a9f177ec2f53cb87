"""Calls that ask for passwords on their way: made on one connection, their prompts answered on another."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

import click

from cardd.client.blocking import Client
from cardd.client.errors import CallError
from cardd.ctl.common import Terminal
from cardd.ctl.failures import sentence
from cardd.ctl.pins import read_pin
from cardd.wire.activation import PromptAnswerParams
from cardd.wire.base import Params
from cardd.wire.events import Event, EventsSubscribeParams
from cardd.wire.methods import PROMPT_ANSWER, READERS_LIST, Signature
from cardd.wire.system import NoParams

P = TypeVar("P", bound=Params)
R = TypeVar("R")

PATIENCE_S: Final = 600.0
"""How long a call may take with all its prompts; the daemon ends it before."""
_LOOK_S: Final = 0.1


Mine = Callable[[Event], bool]
"""Tells whether a prompt that opened is that of the call."""


def of_request(request: str) -> Mine:
    """Know a call's prompts by its request."""
    return lambda opened: opened.data.get("request") == request


def at_card(method: str, insertion: str | None) -> Mine:
    """Know the prompts of a call that has no request: by its method, and the one card that it named."""
    return lambda opened: insertion is not None and (opened.data.get("method"), opened.insertion) == (method, insertion)


def card_in(terminal: Terminal, reader: str | None) -> str | None:
    """Return the insertion of the card in a reader, or of the only one at a counter; None where there is no such."""
    with terminal.connect() as client:
        views = client.call(READERS_LIST, NoParams()).readers
    wanted = [view for view in views if (view.role == "counter" if reader is None else view.reader == reader)]
    inside = [view.card.insertion for view in wanted if view.card is not None]
    return inside[0] if len(inside) == 1 else None


def call_with_prompts(terminal: Terminal, signature: Signature[P, R], params: P, mine: Mine) -> bytes:
    """Make a call, answer the prompts that are its own, and return its result as JSON.

    Passwords are typed without echo, or come as lines of standard input in the order in which they are asked for.
    Raises CallError and the client's other errors; click.UsageError for what is no password, the call being cancelled.
    """
    with terminal.connect() as watching, terminal.connect() as calling, ThreadPoolExecutor(max_workers=1) as aside:
        watching.subscribe(EventsSubscribeParams(types=["prompt.opened"]))
        answer = aside.submit(calling.call_raw, signature.name, params, wait_s=PATIENCE_S)
        _answer_prompts(watching, mine, answer)
        return answer.result()


def _answer_prompts(watching: Client, mine: Mine, answer: "Future[bytes]") -> None:
    while not answer.done():
        for arrival in watching.events(_LOOK_S):
            data = arrival.event.data
            if mine(arrival.event):
                _answer(watching, str(data.get("prompt")), str(data.get("purpose")))


def _answer(client: Client, prompt: str, purpose: str) -> None:
    while True:
        try:
            pin = read_pin(purpose)
        except BaseException:
            # the call must not wait for somebody who has left
            client.call(PROMPT_ANSWER, PromptAnswerParams(prompt=prompt, cancel=True))
            raise
        try:
            client.call(PROMPT_ANSWER, PromptAnswerParams(prompt=prompt, pin=pin))
        except CallError as error:
            click.echo(f"cardctl: {sentence(error)}", err=True)
            if error.retry == "now":
                continue
        return
