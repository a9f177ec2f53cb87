"""Going with an activation to its end: its steps are shown, its prompts answered from the terminal."""

import secrets
import sys
from collections.abc import Mapping
from typing import Final

import click
import msgspec

from cardd.client.blocking import Watch
from cardd.client.errors import CallError
from cardd.ctl.common import Terminal, both, say_lost
from cardd.ctl.failures import sentence
from cardd.ctl.pins import read_pin
from cardd.wire.activation import (
    ENDS,
    ActivationIdParams,
    ActivationResult,
    ActivationStartParams,
    PromptAnswerParams,
)
from cardd.wire.base import Json
from cardd.wire.events import Event, EventsSubscribeParams, short_type
from cardd.wire.methods import ACTIVATION_GET, ACTIVATION_START, PROMPT_ANSWER, Signature

_FOLLOWED = ["activation.*", "prompt.*"]
_PATIENCE_S: Final = 10.0
"""How long the daemon may be away, at least."""
_AS_IT_CAME: Final = Signature(ACTIVATION_GET.name, ActivationIdParams, msgspec.Raw, ACTIVATION_GET.summary)
_END_EVENTS = frozenset(f"activation.{state}" for state in ENDS)


def follow(terminal: Terminal, params: ActivationStartParams, wait_s: float) -> bytes:
    """Start an activation, go with it up to so many seconds, and return it as it stands then, JSON.

    A restart of the daemon in the middle goes on with the same activation. Raises CallError and the client's other
    errors; KeyboardInterrupt after saying that the activation goes on.
    """
    # by its request it is the same one where the connection is lost before the answer
    named = msgspec.structs.replace(params, request=params.request or secrets.token_hex(8))
    followed = EventsSubscribeParams(types=_FOLLOWED)
    with terminal.watch(followed, lost=say_lost, patience_s=max(wait_s, _PATIENCE_S)) as watching:
        started = watching.call(ACTIVATION_START, named)
        try:
            if started.state not in ENDS:
                _Companion(watching, quiet=terminal.as_json).go_along(started, wait_s)
        except KeyboardInterrupt:
            click.echo(f"\nThe activation goes on. To end it: cardctl cancel {started.activation}", err=True)
            raise
        asked = ActivationIdParams(activation=started.activation, purpose=params.purpose)
        return bytes(watching.call(_AS_IT_CAME, asked))


class _Companion:
    """Shows what happens and answers each prompt once, whether the start's answer told of it or an event or both."""

    def __init__(self, watching: Watch, *, quiet: bool) -> None:
        self._watching = watching
        self._quiet = quiet
        self._seen: set[str] = set()

    def go_along(self, started: ActivationResult, wait_s: float) -> None:
        if started.prompt is not None and started.prompt.prompt is not None:
            self._answer(started.prompt.prompt, started.prompt.purpose)
        for arrival in self._watching.events(wait_s):
            event = arrival.event
            if event.correlationid != started.activation:
                continue
            kind = short_type(event.type)
            if kind in _END_EVENTS:
                return
            if not self._quiet:
                _show(event)
            if kind == "prompt.opened":
                self._answer(_word(event.data, "prompt"), _word(event.data, "purpose"))

    def _answer(self, prompt: str, purpose: str | None) -> None:
        """Ask the person at the terminal; without a terminal somebody else answers."""
        if prompt in self._seen:
            return
        self._seen.add(prompt)
        if not sys.stdin.isatty():
            click.echo(f"A password is asked for. Answer with: cardctl answer {prompt}", err=True)
            return
        while not self._sent(prompt, purpose):
            pass

    def _sent(self, prompt: str, purpose: str | None) -> bool:
        """Ask once; tell whether there is nothing more to ask."""
        try:
            self._watching.call(PROMPT_ANSWER, PromptAnswerParams(prompt=prompt, pin=read_pin(purpose)))
        except click.UsageError as error:
            click.echo(f"cardctl: {error.message}", err=True)
            return False
        except CallError as error:
            click.echo(f"cardctl: {sentence(error)}", err=True)
            return error.retry != "now"
        return True


def _show(event: Event) -> None:
    prompt = event.data.get("prompt")
    text = event.data.get("text") or (prompt.get("text") if isinstance(prompt, Mapping) else None)
    said = both({key: str(value) for key, value in text.items()}) if isinstance(text, Mapping) else ""
    if said:
        click.echo(said)


def _word(data: Mapping[str, Json], name: str) -> str:
    return str(data.get(name) or "")
