"""Calls that ask for passwords on their way: made on one connection, their prompts answered on another."""

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
from cardd.wire.events import EventsSubscribeParams
from cardd.wire.methods import PROMPT_ANSWER, Signature

P = TypeVar("P", bound=Params)
R = TypeVar("R")

PATIENCE_S: Final = 600.0
"""How long a call may take with all its prompts; the daemon ends it before."""
_LOOK_S: Final = 0.1


def call_with_prompts(terminal: Terminal, signature: Signature[P, R], params: P, request: str) -> bytes:
    """Make a call, answer the prompts that bear its `request`, and return its result as JSON.

    Passwords are typed without echo, or come as lines of standard input in the order in which they are asked for.
    Raises CallError and the client's other errors; click.UsageError for what is no password, the call being cancelled.
    """
    with terminal.connect() as watching, terminal.connect() as calling, ThreadPoolExecutor(max_workers=1) as aside:
        watching.subscribe(EventsSubscribeParams(types=["prompt.opened"]))
        answer = aside.submit(calling.call_raw, signature.name, params, wait_s=PATIENCE_S)
        _answer_prompts(watching, request, answer)
        return answer.result()


def _answer_prompts(watching: Client, request: str, answer: "Future[bytes]") -> None:
    while not answer.done():
        for arrival in watching.events(_LOOK_S):
            data = arrival.event.data
            if data.get("request") == request:
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
