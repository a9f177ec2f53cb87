"""A clerk at a real counter: pcscd, virtual cards, the daemon as a process, a client that writes everything down."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cardd.client.blocking import Client
from cardd.client.errors import UnreachableError
from cardd.wire.activation import (
    ActivationIdParams,
    ActivationResult,
    ActivationStartParams,
    PromptAnswerParams,
    Route,
)
from cardd.wire.events import EventsSubscribeParams, short_type
from cardd.wire.methods import ACTIVATION_CANCEL, ACTIVATION_GET, ACTIVATION_START, PROMPT_ANSWER
from cardsim.card.base import VirtualCard
from cardsim.rig import Rig
from support.moments import Recorded

PATIENCE_S = 10.0
HOLD_S = 1.5
"""How long a watched card holds back its answer at most: a laboratory waits for its cards when they are removed."""

Event = dict[str, Any]


class Clerk:
    """Puts cards in and reads the screen. The events of the whole run are in `events`, oldest first."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.client: Client = rig.client()
        self.events: list[Event] = []
        self._came = threading.Condition()
        self._mark = 0
        self._follower = self._watch(rig.client())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()
        self.rig.close()
        self._follower.join(PATIENCE_S)

    def _watch(self, client: Client) -> threading.Thread:
        client.subscribe(EventsSubscribeParams(after="earliest"))

        def follow() -> None:
            try:
                for arrival in client.events():
                    with self._came:
                        self.events.append(json.loads(arrival.raw)["event"])
                        self._came.notify_all()
            except (UnreachableError, OSError):
                return
            finally:
                client.close()

        follower = threading.Thread(target=follow, daemon=True)
        follower.start()
        return follower

    # -- hands

    def insert(self, persona: str, reader: int = 0) -> None:
        self.rig.lab.insert_persona(persona, reader)

    def insert_card(self, card: VirtualCard, reader: int = 0) -> None:
        self.rig.lab.insert(card, reader)

    def remove(self, reader: int = 0) -> None:
        self.rig.lab.remove(reader)

    def start(self, **params: Any) -> str:
        return self.activate(**params).activation

    def activate(self, **params: Any) -> ActivationResult:
        """Start an activation, by the pharmacy's route unless another one is named, and return the whole answer."""
        return self.client.call(
            ACTIVATION_START,
            ActivationStartParams(**{"route": Route.PHARMACY, **params}),
            wait_s=float(params.get("wait_s") or 0.0) + PATIENCE_S,
        )

    def cancel(self, activation: str) -> ActivationResult:
        return self.client.call(ACTIVATION_CANCEL, ActivationIdParams(activation=activation))

    def look(self, activation: str) -> ActivationResult:
        return self.client.call(ACTIVATION_GET, ActivationIdParams(activation=activation))

    def type(self, pin: str) -> None:
        """Answer the prompt that opens next."""
        self.answer(self.wait("prompt.opened")["data"]["prompt"], pin)

    def answer(self, prompt: str, pin: str) -> None:
        """Answer that prompt."""
        self.client.call(PROMPT_ANSWER, PromptAnswerParams(prompt=prompt, pin=pin))

    # -- eyes

    def wait(
        self, kind: str, where: Callable[[Event], bool] = lambda _: True, *, patience_s: float = PATIENCE_S
    ) -> Event:
        """Return the next event of a kind, after the one that was waited for last."""
        deadline = time.monotonic() + patience_s
        with self._came:
            while True:
                for position in range(self._mark, len(self.events)):
                    event = self.events[position]
                    if short_type(event["type"]) == kind and where(event):
                        self._mark = position + 1
                        return event
                left = deadline - time.monotonic()
                assert left > 0, f"no {kind}; since the last one: {self.since()}"
                self._came.wait(left)

    def turn_the_page(self) -> None:
        """Wait for what comes from now on only."""
        with self._came:
            self._mark = len(self.events)

    def step(self, state: str, code: str | None = None) -> Event:
        """Return the next step into a state (with a prompt of that code)."""

        def wanted(event: Event) -> bool:
            data = event["data"]
            return data["state"] == state and (code is None or data["prompt"]["code"] == code)

        return self.wait("activation.step", wanted)

    def since(self) -> list[str]:
        """Return what came after the last event that was waited for, in short."""
        return [
            f"{short_type(event['type'])} {event['subject']} {event['data'].get('state', '')} "
            f"{event['data'].get('reason', '')}"
            for event in self.events[self._mark :]
        ]

    def types(self) -> list[str]:
        return [short_type(event["type"]) for event in self.events]


class Watched(Recorded):
    """A card that waits, at the n-th command that fits, until the test lets it go on."""

    def __init__(self, persona: str, wanted: Callable[[bytes], bool], nth: int = 1) -> None:
        super().__init__(persona)
        hold = self.hold_at(wanted, nth, patience_s=HOLD_S)
        self.reached, self.go_on = hold.reached, hold.go_on


def counter(directory: Path, *, settings: Mapping[str, object] | None = None, **options: Any) -> Clerk:
    """Bring up a counter and a clerk at it."""
    return Clerk(Rig.start(directory, settings=settings, **options))
