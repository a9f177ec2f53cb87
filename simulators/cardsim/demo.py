"""A demonstration: four handoffs at a pharmacy counter, on a real pcscd, seen by a client of the socket."""

import json
import queue
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from cardd.base.errors import CarddError
from cardd.base.reasons import Reason
from cardd.base.structs import Struct
from cardd.client.blocking import Client
from cardd.client.errors import UnreachableError
from cardd.client.messages import Arrival
from cardd.wire.activation import PromptAnswerParams
from cardd.wire.events import EventsSubscribeParams, short_type
from cardd.wire.methods import PROMPT_ANSWER
from cardsim.rig import Rig

Say = Callable[[str], None]

_PATIENCE_S: Final = 10.0
_ENDS: Final = {"activation.completed", "activation.refused", "activation.cancelled", "activation.expired"}


class Handoff(Struct, frozen=True):
    """Two cards at the counter, and what must come of it: an outcome or the reason of a refusal.

    `typed` is what the holder types at a prompt, by the prompt's purpose.
    """

    title: str
    old: str
    social: str
    expected: str
    typed: Mapping[str, str] = {}


HANDOFFS: Final = (
    Handoff("测试甲 hands in the old card for a 3.0 card (SM4)", "old-jia", "social-jia-3.0", "activated"),
    Handoff(
        "测试丙 does so for a 2.0 card (DES); the old card has a password",
        "old-bing",
        "social-bing-2.0",
        "activated",
        {"old_card_password": "123456"},
    ),
    Handoff("测试乙's old card, but 测试丁's new one", "old-yi", "social-ding-1.0", "OTHER_PERSON"),
    Handoff("测试乙 with a copied card that lacks the issuer's key", "old-yi", "social-fake-3.0", "CARD_NOT_GENUINE"),
)


class Row(Struct, frozen=True):
    """What came of a handoff."""

    handoff: Handoff
    came: str
    seconds: float
    events: int

    @property
    def right(self) -> bool:
        """Whether it came as it had to."""
        return self.came == self.handoff.expected


class Window:
    """The counter's screen: a client that watches, shows everything, and can be waited on."""

    def __init__(self, rig: Rig, say: Say) -> None:
        self._client = rig.client()
        self._say = say
        self._arrivals: queue.SimpleQueue[Arrival | None] = queue.SimpleQueue()
        self._client.subscribe(EventsSubscribeParams(after="now"))
        threading.Thread(target=self._watch, name="window", daemon=True).start()
        self.shown = 0

    def until(self, wanted: Callable[[Arrival], bool]) -> Iterator[Arrival]:
        """Show and yield events until the wanted one has come. Raises CarddError(TIMEOUT) if it does not."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                arrival = self._arrivals.get(timeout=max(deadline - time.monotonic(), 0.001))
            except queue.Empty:
                raise CarddError(Reason.TIMEOUT, "the counter did not get on") from None
            if arrival is None:
                raise CarddError(Reason.TIMEOUT, "the daemon has gone")
            self._show(arrival)
            yield arrival
            if wanted(arrival):
                return

    def close(self) -> None:
        """Stop watching."""
        self._client.close()

    def _watch(self) -> None:
        try:
            for arrival in self._client.events():
                self._arrivals.put(arrival)
        except (UnreachableError, OSError):
            self._arrivals.put(None)

    def _show(self, arrival: Arrival) -> None:
        self.shown += 1
        raw = json.dumps(json.loads(arrival.raw)["event"], ensure_ascii=False)
        text = _sentence(arrival)
        if text is not None:
            self._say(f"  clerk │ {text['zh-CN']}  {text['en']}")
        self._say(f"  event │ {raw}")


def run(rig: Rig, say: Say) -> list[Row]:
    """Carry out all handoffs and return what came of each."""
    window = Window(rig, say)
    clerk = rig.client()
    try:
        return [_hand_off(rig, window, clerk, number, handoff, say) for number, handoff in enumerate(HANDOFFS, 1)]
    finally:
        window.close()
        clerk.close()


def summary(rows: list[Row]) -> str:
    """Return a table of what was expected and what came."""
    cells = [("handoff", "cards", "must be", "is", "s", "events", "")]
    cells += [
        (
            row.handoff.title,
            f"{row.handoff.old}, {row.handoff.social}",
            row.handoff.expected,
            row.came,
            f"{row.seconds:.1f}",
            str(row.events),
            "right" if row.right else "WRONG",
        )
        for row in rows
    ]
    widths = [max(_width(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = ["  ".join(_padded(text, width) for text, width in zip(line, widths, strict=True)) for line in cells]
    return "\n".join([lines[0], "─" * _width(lines[0]), *lines[1:]])


def _hand_off(rig: Rig, window: Window, clerk: Client, number: int, handoff: Handoff, say: Say) -> Row:
    say(f"\n{number}. {handoff.title}")
    began, shown = time.monotonic(), window.shown
    say(f"  hands │ insert {handoff.old}")
    rig.lab.insert_persona(handoff.old, 0)
    _answering(window.until(_waits_for_social_card), clerk, handoff, say)
    say(f"  hands │ remove {handoff.old}, insert {handoff.social}")
    rig.lab.remove(0)
    rig.lab.insert_persona(handoff.social, 0)
    end = _answering(window.until(_is_end), clerk, handoff, say)
    seconds = time.monotonic() - began
    say(f"  hands │ remove {handoff.social}")
    rig.lab.remove(0)
    for _ in window.until(lambda arrival: short_type(arrival.event.type) == "card.removed"):
        pass
    came = end.event.data.get("outcome") or end.event.data.get("reason") or short_type(end.event.type)
    return Row(handoff, str(came), seconds, window.shown - shown)


def _answering(arrivals: Iterator[Arrival], clerk: Client, handoff: Handoff, say: Say) -> Arrival:
    """Follow events to their end, typing what prompts ask for; return the last one."""
    last = None
    for last in arrivals:
        data = last.event.data
        if short_type(last.event.type) == "prompt.opened":
            say(f"  hands │ the holder types {'•' * 6}")
            answer = PromptAnswerParams(prompt=str(data["prompt"]), pin=handoff.typed[str(data["purpose"])])
            clerk.call(PROMPT_ANSWER, answer)
    if last is None:
        raise CarddError(Reason.TIMEOUT, "no event came")
    return last


def _waits_for_social_card(arrival: Arrival) -> bool:
    return _is_end(arrival) or arrival.event.data.get("state") == "waiting_social_card"


def _is_end(arrival: Arrival) -> bool:
    return short_type(arrival.event.type) in _ENDS


def _sentence(arrival: Arrival) -> dict[str, str] | None:
    """Return what of an event stands on the clerk's screen, in both languages."""
    data = arrival.event.data
    prompt = data.get("prompt")
    text = prompt.get("text") if isinstance(prompt, dict) else data.get("text")
    if not isinstance(text, dict):
        return None
    return {language: str(sentence) for language, sentence in text.items()}


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))
