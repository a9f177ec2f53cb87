"""A daemon that asks for passwords while a function of the driver is called, as the library's helper meets it."""

import json
import queue
from collections.abc import Sequence
from typing import Any

from support.sscard import Request, Teller, refused, said

PATIENCE_S = 20.0


class Asker:
    """Opens one prompt after the other for each call, and answers the call with what was typed, bars between.

    `prompts` are purposes with the tries left; `instead` is what it says to a call without waiting for an answer.
    """

    def __init__(self, teller: Teller, prompts: Sequence[tuple[str, int | None]] = (("social_pin", 6),)) -> None:
        self.prompts = prompts
        self.rights = ["observe", "driver", "personal", "pin"]
        self.watching = True
        self.instead: bytes | None = None
        self.before = b""
        self.cancelled = 0
        self._teller = teller
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        teller.reply = self._reply

    def _reply(self, request: Request) -> bytes:
        match request["method"]:
            case "session.hello":
                return result(request, {"daemon": "cardd", "rights": self.rights})
            case "events.subscribe" if not self.watching:
                return refused(request, "FORBIDDEN")
            case "events.subscribe":
                return result(request, {"subscription": "s1", "snapshot": {"readers": [], "activations": []}})
            case "prompt.answer":
                self._answers.put(request["params"])
                return result(request, {"prompt": request["params"]["prompt"]})
        return self._call(request)

    def _call(self, request: Request) -> bytes:
        if "request" not in request["params"]:
            return said(request, 0, "nobody is asked")
        typed = []
        for number, (purpose, tries) in enumerate(self.prompts):
            own = opened(f"p{number}", purpose, tries, request["params"]["request"])
            self._teller.tell(self.before + own)
            if self.instead is not None:
                return self.instead.replace(b"ID", b"%d" % request["id"])
            answer = self._answers.get(timeout=PATIENCE_S)
            assert answer["prompt"] == f"p{number}"
            if answer.get("cancel"):
                self.cancelled += 1
                return said(request, -31, "取消")
            typed.append(answer["pin"])
        return said(request, 0, "|".join(typed))


def result(request: Request, value: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": value}).encode() + b"\n"


def opened(prompt: str, purpose: str, tries: int | None, request: str | None) -> bytes:
    data = {
        "prompt": prompt,
        "purpose": purpose,
        "digits": [4, 16],
        "tries_left": tries,
        "deadline": "2026-11-23T02:25:31.332Z",
        "station": "counter-0",
        "method": "driver.call",
        "request": request,
    }
    event = {"specversion": "1.0", "type": "org.cardd.prompt.opened.v1", "subject": "reader-0", "data": data}
    params = {"subscription": "s1", "cursor": "a.1", "event": event}
    return json.dumps({"jsonrpc": "2.0", "method": "event", "params": params}).encode() + b"\n"
